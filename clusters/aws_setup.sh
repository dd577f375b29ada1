#!/bin/sh
# Once for each AWS account: the bucket, the roles of head and workers, the firewall; writes my_aws.yaml from aws.yaml.
# Run again for a new address: rules for other addresses are taken away.
# COMMAND   sh clusters/aws_setup.sh YOUR_BUCKET YOUR_ADDRESS/32 [REGION]     your address: curl -s https://checkip.amazonaws.com
# NEEDS     the AWS command line, with rights over EC2, IAM, S3 and ssm:GetParameter
# UNDO      ray down, then: aws ec2 delete-security-group --group-name raysernas; aws s3 rb s3://YOUR_BUCKET; the two roles in IAM
set -eu

[ $# -ge 2 ] || { echo "usage: sh clusters/aws_setup.sh YOUR_BUCKET YOUR_ADDRESS/32 [REGION]" >&2; exit 2; }
bucket=$1 region=${3:-us-east-1}
here=$(dirname "$0")
cidr=$(sh "$here/address.sh" "$2")
export AWS_DEFAULT_REGION="$region" AWS_PAGER=""
sh "$here/prepare.sh"
account=$(aws sts get-caller-identity --query Account --output text)

# --- the bucket: private, results of a killed upload taken away -----------------------------------------------------------
if ! aws s3api head-bucket --bucket "$bucket" 2>/dev/null; then
  if [ "$region" = us-east-1 ]; then aws s3api create-bucket --bucket "$bucket" >/dev/null
  else aws s3api create-bucket --bucket "$bucket" --create-bucket-configuration "LocationConstraint=$region" >/dev/null; fi
fi
aws s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
  BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
aws s3api put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration \
  '{"Rules":[{"ID":"torn","Status":"Enabled","Filter":{"Prefix":""},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":2}}]}' >/dev/null

# --- one role each for head and workers -----------------------------------------------------------------------------------
filled() { sed -e "s/YOUR_BUCKET/$bucket/g" -e "s/YOUR_ACCOUNT/$account/g" -e "s/YOUR_REGION/$region/g" "$here/$1"; }
trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
for part in head worker; do
  role="raysernas-$part"
  aws iam get-role --role-name "$role" >/dev/null 2>&1 ||
    aws iam create-role --role-name "$role" --assume-role-policy-document "$trust" >/dev/null
  aws iam put-role-policy --role-name "$role" --policy-name bucket --policy-document "$(filled aws_worker_policy.json)"
  if ! aws iam get-instance-profile --instance-profile-name "$role" >/dev/null 2>&1; then
    aws iam create-instance-profile --instance-profile-name "$role" >/dev/null
    aws iam add-role-to-instance-profile --instance-profile-name "$role" --role-name "$role"
  fi
done
aws iam put-role-policy --role-name raysernas-head --policy-name machines --policy-document "$(filled aws_head_policy.json)"
aws iam create-service-linked-role --aws-service-name spot.amazonaws.com >/dev/null 2>&1 || true # there may be one

# --- the firewall: everything among the machines, SSH from one address ------------------------------------------------------
vpc=$(aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId' --output text)
find_group() {
  aws ec2 describe-security-groups --filters "Name=group-name,Values=raysernas" "Name=vpc-id,Values=$vpc" \
    --query 'SecurityGroups[0].GroupId' --output text
}
group=$(find_group)
if [ "$group" = None ]; then
  group=$(aws ec2 create-security-group --group-name raysernas --description "raysernas: SSH from one address" --vpc-id "$vpc" \
    --query GroupId --output text)
  aws ec2 authorize-security-group-ingress --group-id "$group" --protocol=-1 --source-group "$group" >/dev/null
fi
for old in $(aws ec2 describe-security-groups --group-ids "$group" --query 'SecurityGroups[0].IpPermissions[].IpRanges[].CidrIp' --output text); do
  aws ec2 revoke-security-group-ingress --group-id "$group" --protocol tcp --port 22 --cidr "$old" >/dev/null
done
aws ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port 22 --cidr "$cidr" >/dev/null

# --- a machine image with NVIDIA's driver and docker, pinned for as long as my_aws.yaml stays -------------------------------
image=${IMAGE:-$(aws ssm get-parameter --query Parameter.Value --output text \
  --name /aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id)}
sed -e "s/sg-YOUR_GROUP/$group/" -e "s/ami-YOUR_IMAGE/$image/" -e "s/YOUR_BUCKET/$bucket/g" -e "s/region: us-east-1/region: $region/" \
  "$here/aws.yaml" >my_aws.yaml
echo "my_aws.yaml: $image and $group in $region; SSH from $cidr only. Next: ray up -y my_aws.yaml"
