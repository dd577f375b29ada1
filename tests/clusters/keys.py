"""The keys that a cloud knows where Ray looks at nothing: under `provider` and `node_config`, and in
KubeRay's objects.

A mapping lists what a structure may hold; `ANY` is a value of which nothing is checked, a list holds the kind
of its items. Sources: for `provider` what the node providers of Ray 2.60 read
(ray/autoscaler/_private/*/config.py and node_provider.py); AWS: RunInstances of the EC2 API (botocore's
model); Google Cloud: Instance of the Compute Engine API v1 (its discovery document), without what is output
only; Azure: the parameters of Ray's own azure-vm-template.json; KubeRay: ray-operator/apis/ray/v1, 1.7.
"""

from collections.abc import Iterator
from typing import Any

ANY: Any = None


def words(text: str, **known: Any) -> dict[str, Any]:
    """A structure of these keys; those in `known` are looked into."""
    return dict.fromkeys(text.split(), ANY) | known


PROVIDER = {
    "aws": words(
        "type region availability_zone cache_stopped_nodes use_internal_ips",
        security_group=words("GroupName IpPermissions"),
    ),
    "gcp": words(
        "type region availability_zone project_id cache_stopped_nodes use_internal_ips gcp_credentials"
    ),
    "azure": words(
        "type location resource_group subscription_id unique_id subnet_mask availability_zone "
        "cache_stopped_nodes use_internal_ips"
        " use_external_head_ip msi_name msi_resource_group tags"
    ),
    "local": words("type head_ip worker_ips external_head_ip coordinator_address"),
}

AWS = words(
    "InstanceType ImageId KeyName SecurityGroupIds SubnetIds UserData Placement CpuOptions "
    "CreditSpecification EbsOptimized"
    " TagSpecifications NetworkInterfaces LaunchTemplate Monitoring InstanceInitiatedShutdownBehavior",
    IamInstanceProfile=words("Arn Name"),
    MetadataOptions=words(
        "HttpTokens HttpPutResponseHopLimit HttpEndpoint HttpProtocolIpv6 InstanceMetadataTags"
    ),
    InstanceMarketOptions=words(
        "MarketType",
        SpotOptions=words(
            "MaxPrice SpotInstanceType BlockDurationMinutes ValidUntil InstanceInterruptionBehavior"
        ),
    ),
    BlockDeviceMappings=[
        words(
            "DeviceName NoDevice VirtualName",
            Ebs=words(
                "DeleteOnTermination Encrypted Iops KmsKeyId OutpostArn SnapshotId Throughput VolumeSize "
                "VolumeType"
            ),
        )
    ],
)

GCP = words(
    "machineType metadata labels tags minCpuPlatform guestAccelerators canIpForward description "
    "resourcePolicies",
    disks=[
        words(
            "boot autoDelete type mode source deviceName interface",
            initializeParams=words(
                "diskSizeGb sourceImage sourceSnapshot diskType labels provisionedIops provisionedThroughput"
            ),
        )
    ],
    networkInterfaces=[
        words(
            "network subnetwork networkIP nicType stackType",
            accessConfigs=[words("name type natIP networkTier")],
        )
    ],
    serviceAccounts=[words("email scopes")],
    scheduling=words(
        "provisioningModel preemptible instanceTerminationAction onHostMaintenance automaticRestart "
        "maxRunDuration"
    ),
)

POD = words(
    "serviceAccountName restartPolicy terminationGracePeriodSeconds nodeSelector tolerations affinity "
    "volumes",
    initContainers=[words("name image command args env volumeMounts resources")],
    containers=[
        words(
            "name image command args env ports volumeMounts",
            resources=words("requests limits"),
            lifecycle=words(
                "", postStart=words("", exec=words("command")), preStop=words("", exec=words("command"))
            ),
        )
    ],
)
TEMPLATE = words("", metadata=words("labels annotations"), spec=POD)
RAY_JOB = words(
    "apiVersion kind",
    metadata=words("name namespace labels annotations"),
    spec=words(
        "entrypoint submissionMode backoffLimit activeDeadlineSeconds shutdownAfterJobFinishes "
        "ttlSecondsAfterFinished suspend"
        " runtimeEnvYAML submitterPodTemplate submitterConfig entrypointNumCpus metadata jobId "
        "clusterSelector deletionStrategy",
        rayClusterSpec=words(
            "rayVersion enableInTreeAutoscaling suspend managedBy headServiceAnnotations "
            "gcsFaultToleranceOptions",
            authOptions=words("mode secretName enableK8sTokenAuth"),
            autoscalerOptions=words(
                "version upscalingMode idleTimeoutSeconds env envFrom image imagePullPolicy resources "
                "securityContext volumeMounts"
            ),
            headGroupSpec=words(
                "serviceType enableIngress headService rayStartParams resources labels", template=TEMPLATE
            ),
            workerGroupSpecs=[
                words(
                    "groupName replicas minReplicas maxReplicas idleTimeoutSeconds numOfHosts rayStartParams "
                    "resources labels",
                    template=TEMPLATE,
                )
            ],
        ),
    ),
)
NETWORK_POLICY = words(
    "apiVersion kind",
    metadata=words("name namespace labels"),
    spec=words(
        "podSelector policyTypes",
        ingress=[
            {
                "from": [words("podSelector namespaceSelector ipBlock")],
                "ports": [words("protocol port endPort")],
            }
        ],
    ),
)


def strangers(value: Any, known: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of the keys in `value` that `known` does not list."""
    if isinstance(known, dict) and isinstance(value, dict):
        for key, inner in value.items():
            if key not in known:
                yield f"{path}{key}"
            else:
                yield from strangers(inner, known[key], f"{path}{key}.")
    elif isinstance(known, list) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from strangers(inner, known[0], f"{path}{number}.")
    elif known is not ANY:
        yield f"{path.rstrip('.')} is not a {type(known).__name__}"
