#!/bin/sh
# Once for each project: the bucket, the accounts of head and workers, a network with a firewall; writes my_gcp.yaml from gcp.yaml.
# COMMAND   sh clusters/gcp_setup.sh YOUR_PROJECT YOUR_BUCKET YOUR_ADDRESS/32      your address: curl -s https://checkip.amazonaws.com
# NEEDS     the gcloud command line, logged in as an owner of the project. Never run on Google Cloud.
# UNDO      ray down, then: gcloud compute networks delete raysernas (its firewall rules and subnet first); gcloud storage rm -r gs://YOUR_BUCKET
set -eu

[ $# -eq 3 ] || { echo "usage: sh clusters/gcp_setup.sh YOUR_PROJECT YOUR_BUCKET YOUR_ADDRESS/32" >&2; exit 2; }
project=$1 bucket=$2 region=us-central1
here=$(dirname "$0")
cidr=$(sh "$here/address.sh" "$3")
export CLOUDSDK_CORE_PROJECT="$project" CLOUDSDK_CORE_DISABLE_PROMPTS=1
sh "$here/prepare.sh"
gcloud services enable compute.googleapis.com iam.googleapis.com cloudresourcemanager.googleapis.com

gcloud storage buckets describe "gs://$bucket" >/dev/null 2>&1 ||
  gcloud storage buckets create "gs://$bucket" --location="$region" --uniform-bucket-level-access --public-access-prevention

# --- one account each for head and workers -------------------------------------------------------------------------------
for part in head worker; do
  account="raysernas-$part@$project.iam.gserviceaccount.com"
  gcloud iam service-accounts describe "$account" >/dev/null 2>&1 ||
    gcloud iam service-accounts create "raysernas-$part" --display-name="raysernas $part"
  gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member="serviceAccount:$account" --role=roles/storage.objectUser >/dev/null
done
head="serviceAccount:raysernas-head@$project.iam.gserviceaccount.com"
gcloud projects add-iam-policy-binding "$project" --member="$head" --role=roles/compute.instanceAdmin.v1 --condition=None >/dev/null
gcloud iam service-accounts add-iam-policy-binding "raysernas-worker@$project.iam.gserviceaccount.com" \
  --member="$head" --role=roles/iam.serviceAccountUser >/dev/null # the head may start machines as a worker, and as nothing else

# --- a network of its own: everything among the machines, SSH from one address ----------------------------------------------
gcloud compute networks describe raysernas >/dev/null 2>&1 || gcloud compute networks create raysernas --subnet-mode=custom
gcloud compute networks subnets describe raysernas --region="$region" >/dev/null 2>&1 ||
  gcloud compute networks subnets create raysernas --network=raysernas --region="$region" --range=10.60.0.0/20
gcloud compute firewall-rules delete raysernas-inside raysernas-ssh --quiet 2>/dev/null || true
gcloud compute firewall-rules create raysernas-inside --network=raysernas --allow=all --source-ranges=10.60.0.0/20
gcloud compute firewall-rules create raysernas-ssh --network=raysernas --allow=tcp:22 --source-ranges="$cidr"

# --- a machine image with NVIDIA's driver and docker, pinned for as long as my_gcp.yaml stays -------------------------------
family=common-cu128-ubuntu-2204-nvidia-570 # others: gcloud compute images list --project deeplearning-platform-release
image=${IMAGE:-$(gcloud compute images describe-from-family "$family" --project=deeplearning-platform-release --format='value(name)')}
sed -e "s/YOUR_PROJECT/$project/g" -e "s/YOUR_BUCKET/$bucket/g" \
  -e "s|YOUR_IMAGE|projects/deeplearning-platform-release/global/images/$image|" "$here/gcp.yaml" >my_gcp.yaml
echo "my_gcp.yaml: $image; SSH from $cidr only. Next: ray up -y my_gcp.yaml"
