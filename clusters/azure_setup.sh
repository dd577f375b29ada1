#!/bin/sh
# Once for each subscription: resource group, storage, the identity of the machines, a network with a firewall; writes
# my_azure.yaml from azure.yaml.
# COMMAND   sh clusters/azure_setup.sh YOUR_SUBSCRIPTION YOUR_ACCOUNT YOUR_ADDRESS/32      your address: curl -s https://checkip.amazonaws.com
# NEEDS     the az command line, logged in as an owner of the subscription. Never run on Azure.
# UNDO      az group delete --name raysernas
set -eu

[ $# -eq 3 ] || { echo "usage: sh clusters/azure_setup.sh YOUR_SUBSCRIPTION YOUR_ACCOUNT YOUR_ADDRESS/32" >&2; exit 2; }
subscription=$1 account=$2 location=eastus group=raysernas
here=$(dirname "$0")
cidr=$(sh "$here/address.sh" "$3")
sh "$here/prepare.sh"
az account set --subscription "$subscription"
az group create --name "$group" --location "$location" --output none

# --- storage, and an identity that may write to one container ---------------------------------------------------------------
az storage account create --name "$account" --resource-group "$group" --location "$location" --sku Standard_LRS \
  --enable-hierarchical-namespace true --allow-blob-public-access false --min-tls-version TLS1_2 --output none
az storage container create --name raysernas --account-name "$account" --auth-mode login --output none
container="/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.Storage/storageAccounts/$account/blobServices/default/containers/raysernas"
az identity create --name raysernas --resource-group "$group" --output none
principal=$(az identity show --name raysernas --resource-group "$group" --query principalId --output tsv)
az role assignment create --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal \
  --role "Storage Blob Data Contributor" --scope "$container" --output none

# --- the network under the name that Ray will look for: everything among the machines, SSH from one address -----------------
az network nsg create --name raysernas-closed --resource-group "$group" --location "$location" --output none
az network nsg rule create --nsg-name raysernas-closed --resource-group "$group" --name ssh --priority 1000 --direction Inbound \
  --access Allow --protocol Tcp --source-address-prefixes "$cidr" --destination-port-ranges 22 --output none
az network vnet create --name ray-raysernas-rsn1-vnet --resource-group "$group" --location "$location" --address-prefixes 10.61.0.0/16 \
  --subnet-name ray-raysernas-rsn1-subnet --subnet-prefixes 10.61.0.0/16 --network-security-group raysernas-closed --output none

# --- a machine image with NVIDIA's driver and docker, pinned for as long as my_azure.yaml stays -----------------------------
image=${IMAGE:-$(az vm image show --location "$location" --urn microsoft-dsvm:ubuntu-hpc:2204:latest --query name --output tsv)}
sed -e "s/YOUR_SUBSCRIPTION/$subscription/" -e "s/YOUR_ACCOUNT/$account/g" -e "s/YOUR_IMAGE_VERSION/$image/" "$here/azure.yaml" >my_azure.yaml
echo "my_azure.yaml: ubuntu-hpc $image; SSH from $cidr only. Next: ray up -y my_azure.yaml"
