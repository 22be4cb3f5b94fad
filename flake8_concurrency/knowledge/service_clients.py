"""Clients of services: search engines, clouds, brokers, containers, ssh and DNS.

Checked against elasticsearch 9.5, opensearch-py 3.2, boto3 and botocore 1.44, minio 7.2, kafka-python 3.0,
confluent-kafka 2.16, pika 1.4, docker 7.2, kubernetes 37.0, paramiko 5.1, dnspython 2.9, slack_sdk 3.47,
google-api-python-client 2.202.

Some of these make their methods when they run, or have hundreds. There `*` among the members of a class is what an
attribute that is not named gives, and `Class.*` in BLOCKING any method.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members, moved
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_AWS = "boto3.resources.base.ServiceResource"
_COLLECTION = "boto3.resources.collection.CollectionManager"
_DOCKER_MODELS = {
    "containers": "Container",
    "images": "Image",
    "networks": "Network",
    "volumes": "Volume",
    "services": "Service",
}
_SEARCH = {
    "elasticsearch.Elasticsearch": "elasticsearch._sync.client._base.NamespacedClient",
    "opensearchpy.OpenSearch": "opensearchpy.client.utils.NamespacedClient",
}
_ASYNC_SEARCH = ("elasticsearch.AsyncElasticsearch", "opensearchpy.AsyncOpenSearch")
_KUBERNETES_APIS = """
    AdmissionregistrationApi AdmissionregistrationV1Api ApiextensionsApi ApiextensionsV1Api ApiregistrationV1Api ApisApi
    AppsApi AppsV1Api AuthenticationV1Api AuthorizationApi AuthorizationV1Api AutoscalingV1Api AutoscalingV2Api BatchApi
    BatchV1Api CertificatesV1Api CoordinationV1Api CoreApi CoreV1Api CustomObjectsApi DiscoveryV1Api EventsV1Api
    FlowcontrolApiserverV1Api LogsApi NetworkingApi NetworkingV1Api NodeV1Api PolicyV1Api RbacAuthorizationV1Api
    SchedulingV1Api StorageApi StorageV1Api VersionApi WellKnownApi
""".split()

CLASSES: dict[str, ClassFact] = {
    **{
        client: ClassFact(
            members={
                "__enter__": "() -> Self",
                "options": "() -> Self",
                "close": "() -> None",
                **members("ping exists exists_source", "() -> builtins.bool"),
                "transport": "?",
                "*": namespace,
            },
        )
        for client, namespace in _SEARCH.items()
    },
    **{
        client: ClassFact(
            members={
                "__aenter__": "async () -> Self",
                "options": "() -> Self",
                "close": "async () -> None",
            },
        )
        for client in _ASYNC_SEARCH
    },
    **{namespace: ClassFact() for namespace in _SEARCH.values()},
    **{
        f"elasticsearch.client.{name}Client": ClassFact((_SEARCH["elasticsearch.Elasticsearch"],))
        for name in "Cat Cluster Indices Ingest Ml Nodes Security Snapshot Tasks".split()
    },
    "boto3.Session": ClassFact(
        members={"client": "() -> botocore.client.BaseClient", "resource": f"() -> {_AWS}"},
    ),
    "botocore.session.Session": ClassFact(members={"create_client": "() -> botocore.client.BaseClient"}),
    "botocore.client.BaseClient": ClassFact(
        members={
            "get_paginator": "() -> botocore.paginate.Paginator",
            "get_waiter": "() -> botocore.waiter.Waiter",
            "generate_presigned_url": "() -> builtins.str",
            "can_paginate": "() -> builtins.bool",
            **members("meta exceptions", "?"),
            "*": "() -> ?",
        },
    ),
    "botocore.paginate.Paginator": ClassFact(members={"paginate": "() -> botocore.paginate.PageIterator"}),
    "botocore.paginate.PageIterator": ClassFact(
        members={
            "__iter__": "() -> collections.abc.Iterator[builtins.dict[builtins.str, ?]]",
            "build_full_result": "() -> builtins.dict[builtins.str, ?]",
            "search": "() -> collections.abc.Iterator[?]",
        },
    ),
    "botocore.waiter.Waiter": ClassFact(members={"wait": "() -> None"}),
    "botocore.response.StreamingBody": ClassFact(
        members={"read": "() -> builtins.bytes", "iter_lines": "() -> collections.abc.Iterator[builtins.bytes]"},
    ),
    _AWS: ClassFact(
        members={
            "meta": "?",
            **members("Bucket Object Table Queue Topic Instance Image Volume Vpc Stack Key", f"() -> {_AWS}"),
            **members("objects buckets object_versions tables queues topics instances volumes images", _COLLECTION),
        },
    ),
    _COLLECTION: ClassFact(
        members={
            "__iter__": f"() -> collections.abc.Iterator[{_AWS}]",
            **members("all filter limit page_size", "() -> Self"),
            "pages": "() -> collections.abc.Iterator[?]",
            "delete": "() -> ?",
        },
    ),
    "minio.Minio": ClassFact(
        members={"list_objects": "() -> collections.abc.Iterator[?]", "bucket_exists": "() -> builtins.bool"},
    ),
    "kafka.KafkaConsumer": ClassFact(members={"__iter__": "() -> Self", "__next__": "() -> ?"}),
    "kafka.KafkaProducer": ClassFact(
        members={"send": "() -> kafka.producer.future.FutureRecordMetadata", **members("flush close", "() -> None")},
    ),
    "kafka.producer.future.FutureRecordMetadata": ClassFact(members={"get": "() -> ?"}),
    "kafka.KafkaAdminClient": ClassFact(),
    "confluent_kafka.Consumer": ClassFact(members={"poll": "() -> ?", "consume": "() -> builtins.list[?]"}),
    "confluent_kafka.DeserializingConsumer": ClassFact(("confluent_kafka.Consumer",)),
    "confluent_kafka.Producer": ClassFact(members=members("produce flush poll", "() -> ?")),
    "confluent_kafka.SerializingProducer": ClassFact(("confluent_kafka.Producer",)),
    "confluent_kafka.admin.AdminClient": ClassFact(),
    "pika.BlockingConnection": ClassFact(
        members={"__enter__": "() -> Self", "channel": "() -> pika.adapters.blocking_connection.BlockingChannel"},
    ),
    "pika.adapters.blocking_connection.BlockingChannel": ClassFact(
        members={"__enter__": "() -> Self", "consume": "() -> collections.abc.Iterator[?]"},
    ),
    "docker.DockerClient": ClassFact(
        members={
            "from_env": "() -> Self",
            **{f"{kind}": f"docker.models.{kind}.{model}Collection" for kind, model in _DOCKER_MODELS.items()},
            "swarm": "docker.models.swarm.Swarm",
            "api": "docker.APIClient",
            "close": "() -> None",
        },
    ),
    "docker.APIClient": ClassFact(members={"close": "() -> None"}),
    **{
        f"docker.models.{kind}.{model}Collection": ClassFact(
            members={
                "list": f"() -> builtins.list[docker.models.{kind}.{model}]",
                # run() gives the output instead, unless it is asked to detach.
                **members("get create" if kind != "images" else "get", f"() -> docker.models.{kind}.{model}"),
            },
        )
        for kind, model in _DOCKER_MODELS.items()
    },
    **{
        f"docker.models.{kind}.{model}": ClassFact(
            members={"id": "builtins.str", **({"name": "builtins.str"} if model != "Image" else {})},
        )
        for kind, model in _DOCKER_MODELS.items()
    },
    "docker.models.swarm.Swarm": ClassFact(),
    **{f"kubernetes.client.{api}": ClassFact() for api in _KUBERNETES_APIS},
    "kubernetes.watch.Watch": ClassFact(members={"stream": "() -> collections.abc.Iterator[?]", "stop": "() -> None"}),
    "paramiko.SSHClient": ClassFact(
        members={
            "__enter__": "() -> Self",
            **members("connect close load_system_host_keys set_missing_host_key_policy", "() -> None"),
            "exec_command": (
                "() -> builtins.tuple[paramiko.channel.ChannelStdinFile, paramiko.channel.ChannelFile,"
                " paramiko.channel.ChannelStderrFile]"
            ),
            "open_sftp": "() -> paramiko.SFTPClient",
            "invoke_shell": "() -> paramiko.Channel",
            "get_transport": "() -> paramiko.Transport | None",
        },
    ),
    "paramiko.SFTPClient": ClassFact(
        members={
            "__enter__": "() -> Self",
            "from_transport": "() -> Self | None",
            **members("open file", "() -> paramiko.SFTPFile"),
            "close": "() -> None",
        },
    ),
    "paramiko.SFTPFile": ClassFact(("paramiko.file.BufferedFile",)),
    "paramiko.Transport": ClassFact(
        ("threading.Thread",),
        members={"open_session": "() -> paramiko.Channel", "open_sftp_client": "() -> paramiko.SFTPClient | None"},
    ),
    "paramiko.Channel": ClassFact(
        members={
            "makefile": "() -> paramiko.channel.ChannelFile",
            "makefile_stderr": "() -> paramiko.channel.ChannelStderrFile",
            "recv": "() -> builtins.bytes",
            "recv_exit_status": "() -> builtins.int",
        },
    ),
    "paramiko.file.BufferedFile": ClassFact(
        members={
            "__enter__": "() -> Self",
            "__iter__": "() -> Self",
            **members("read readline", "() -> ?"),
            "readlines": "() -> builtins.list[?]",
            "channel": "paramiko.Channel",
        },
    ),
    "paramiko.channel.ChannelFile": ClassFact(("paramiko.file.BufferedFile",)),
    "paramiko.channel.ChannelStdinFile": ClassFact(("paramiko.channel.ChannelFile",)),
    "paramiko.channel.ChannelStderrFile": ClassFact(("paramiko.channel.ChannelFile",)),
    "dns.resolver.Resolver": ClassFact(
        members={**members("resolve resolve_address query", "() -> dns.resolver.Answer"), "try_ddr": "() -> None"},
    ),
    "dns.resolver.Answer": ClassFact(members={"__iter__": "() -> collections.abc.Iterator[?]"}),
    "dns.asyncresolver.Resolver": ClassFact(
        members=members("resolve resolve_address", "async () -> dns.resolver.Answer"),
    ),
    "slack_sdk.WebClient": ClassFact(),
    "slack_sdk.webhook.WebhookClient": ClassFact(),
    "slack_sdk.web.async_client.AsyncWebClient": ClassFact(members={"*": "async () -> ?"}),
    # Made from a description of the API when it is built: a method gives another Resource or a request, and only a
    # request has `execute`, so one class stands for both.
    "googleapiclient.discovery.Resource": ClassFact(
        members={"__enter__": "() -> Self", "close": "() -> None", "execute": "() -> ?", "*": "() -> Self"},
    ),
    "googleapiclient.http.HttpRequest": ClassFact(members={"execute": "() -> ?"}),
    "googleapiclient.http.BatchHttpRequest": ClassFact(members={"execute": "() -> None"}),
}

FUNCTIONS: dict[str, str] = {
    "boto3.client": "() -> botocore.client.BaseClient",
    "googleapiclient.discovery.build": "() -> googleapiclient.discovery.Resource",
    "googleapiclient.discovery.build_from_document": "() -> googleapiclient.discovery.Resource",
    "boto3.resource": f"() -> {_AWS}",
    "botocore.session.get_session": "() -> botocore.session.Session",
    "docker.from_env": "() -> docker.DockerClient",
    "elasticsearch.helpers.scan": "() -> collections.abc.Iterator[?]",
    "elasticsearch.helpers.streaming_bulk": "() -> collections.abc.Iterator[?]",
    "elasticsearch.helpers.parallel_bulk": "() -> collections.abc.Iterator[?]",
    "dns.resolver.resolve": "() -> dns.resolver.Answer",
    "dns.resolver.query": "() -> dns.resolver.Answer",
    "dns.asyncresolver.resolve": "async () -> dns.resolver.Answer",
}

ALIASES: dict[str, str] = {
    "elasticsearch._sync.client.Elasticsearch": "elasticsearch.Elasticsearch",
    "elasticsearch.client.Elasticsearch": "elasticsearch.Elasticsearch",
    "elasticsearch._async.client.AsyncElasticsearch": "elasticsearch.AsyncElasticsearch",
    "opensearchpy.client.OpenSearch": "opensearchpy.OpenSearch",
    "opensearchpy._async.client.AsyncOpenSearch": "opensearchpy.AsyncOpenSearch",
    "boto3.session.Session": "boto3.Session",
    "minio.api.Minio": "minio.Minio",
    "kafka.consumer.group.KafkaConsumer": "kafka.KafkaConsumer",
    "kafka.producer.kafka.KafkaProducer": "kafka.KafkaProducer",
    "kafka.consumer.KafkaConsumer": "kafka.KafkaConsumer",
    "kafka.producer.KafkaProducer": "kafka.KafkaProducer",
    "kafka.admin.KafkaAdminClient": "kafka.KafkaAdminClient",
    "confluent_kafka.deserializing_consumer.DeserializingConsumer": "confluent_kafka.DeserializingConsumer",
    "confluent_kafka.serializing_producer.SerializingProducer": "confluent_kafka.SerializingProducer",
    "pika.adapters.blocking_connection.BlockingConnection": "pika.BlockingConnection",
    "pika.adapters.BlockingConnection": "pika.BlockingConnection",
    "docker.client.DockerClient": "docker.DockerClient",
    "docker.client.from_env": "docker.from_env",
    "docker.api.client.APIClient": "docker.APIClient",
    "docker.api.APIClient": "docker.APIClient",
    **{
        f"kubernetes.client.api.{module}.{api}": f"kubernetes.client.{api}"
        for api, module in {
            "CoreV1Api": "core_v1_api",
            "AppsV1Api": "apps_v1_api",
            "BatchV1Api": "batch_v1_api",
            "CustomObjectsApi": "custom_objects_api",
        }.items()
    },
    **{f"kubernetes.client.api.{api}": f"kubernetes.client.{api}" for api in _KUBERNETES_APIS},
    "kubernetes.watch.watch.Watch": "kubernetes.watch.Watch",
    **moved("paramiko.client", "paramiko", "SSHClient"),
    **moved("paramiko.sftp_client", "paramiko", "SFTPClient"),
    **moved("paramiko.sftp_file", "paramiko", "SFTPFile"),
    **moved("paramiko.transport", "paramiko", "Transport"),
    **moved("paramiko.channel", "paramiko", "Channel"),
    "slack_sdk.web.WebClient": "slack_sdk.WebClient",
    "slack_sdk.web.client.WebClient": "slack_sdk.WebClient",
    "slack_sdk.webhook.client.WebhookClient": "slack_sdk.webhook.WebhookClient",
}

_SEARCH_TWIN = "await client.method(...) on an AsyncElasticsearch"
_CLOUD = "aioboto3, or await asyncio.to_thread(client.method, ...)"
_PUBLISH = "aiokafka, or asyncio.to_thread around the call"
_AMQP = "aio_pika"
_CONTAINERS = "aiodocker, or asyncio.to_thread around the call"
_CLUSTER = "kubernetes_asyncio, or asyncio.to_thread around the call"
_SSH = "asyncssh, or asyncio.to_thread around the call"
_SLACK = "await client.method(...) on a slack_sdk AsyncWebClient"

BLOCKING: dict[str, Blocking] = {
    # Reads and parses the description of the API, which comes with the library or from the network.
    "googleapiclient.discovery.build": Blocking("file", "await asyncio.to_thread(build, ...)"),
    **{
        f"googleapiclient.{name}.execute": Blocking("client", "await asyncio.to_thread(request.execute)")
        for name in ("discovery.Resource", "http.HttpRequest", "http.BatchHttpRequest")
    },
    **calls("elasticsearch.Elasticsearch", "*", "client", _SEARCH_TWIN),
    **calls("elasticsearch._sync.client._base.NamespacedClient", "*", "client", _SEARCH_TWIN),
    **calls(
        "elasticsearch.helpers", "bulk scan streaming_bulk reindex", "client", "elasticsearch.helpers.async_{name}(...)"
    ),
    **calls("elasticsearch.helpers", "parallel_bulk", "client", "await elasticsearch.helpers.async_bulk(...)"),
    **calls("opensearchpy.OpenSearch", "*", "client", "await client.method(...) on an AsyncOpenSearch"),
    **calls(
        "opensearchpy.client.utils.NamespacedClient", "*", "client", "await client.method(...) on an AsyncOpenSearch"
    ),
    **calls(
        "opensearchpy.helpers", "bulk scan streaming_bulk reindex", "client", "opensearchpy.helpers.async_{name}(...)"
    ),
    **calls("botocore.client.BaseClient", "*", "client", _CLOUD),
    **calls("botocore.paginate.PageIterator", "__iter__ build_full_result search", "client", _CLOUD),
    **calls("botocore.waiter.Waiter", "wait", "client", _CLOUD),
    **calls("botocore.response.StreamingBody", "read readline readlines __iter__ __next__", "client", _CLOUD),
    **calls(_AWS, "*", "client", _CLOUD),
    **calls(_COLLECTION, "__iter__ delete", "client", _CLOUD),
    **calls("minio.Minio", "*", "client", "await asyncio.to_thread(client.method, ...)"),
    **calls("kafka", "KafkaConsumer KafkaProducer KafkaAdminClient", "client", _PUBLISH),
    **calls(
        "kafka.KafkaConsumer",
        "poll commit committed position partitions_for_topic topics beginning_offsets end_offsets offsets_for_times"
        " close __iter__ __next__",
        "client",
        _PUBLISH,
    ),
    # send() waits for the topic's metadata, up to max_block_ms.
    **calls(
        "kafka.KafkaProducer",
        "send flush partitions_for close init_transactions commit_transaction abort_transaction",
        "client",
        _PUBLISH,
    ),
    **calls("kafka.producer.future.FutureRecordMetadata", "get", "client", _PUBLISH),
    **calls("kafka.KafkaAdminClient", "*", "client", "aiokafka.admin.AIOKafkaAdminClient"),
    **calls(
        "confluent_kafka.Consumer",
        "poll consume committed offsets_for_times list_topics close",
        "client",
        _PUBLISH,
    ),
    **calls(
        "confluent_kafka.Producer",
        "flush poll list_topics init_transactions commit_transaction abort_transaction send_offsets_to_transaction",
        "client",
        _PUBLISH,
    ),
    **calls("confluent_kafka.admin.AdminClient", "list_topics list_groups", "client", _PUBLISH),
    "pika.BlockingConnection": Blocking("client", _AMQP),
    **calls(
        "pika.BlockingConnection", "channel process_data_events sleep close update_secret __exit__", "client", _AMQP
    ),
    **calls("pika.adapters.blocking_connection.BlockingChannel", "*", "client", _AMQP),
    # Version 7 asks the server for its version when the client is made.
    **calls("docker", "from_env DockerClient APIClient", "client", _CONTAINERS),
    **calls("docker.DockerClient", "df events from_env info login ping version", "client", _CONTAINERS),
    **calls("docker.APIClient", "*", "client", _CONTAINERS),
    **{
        f"docker.models.{kind}.{name}.*": Blocking("client", _CONTAINERS)
        for kind, model in _DOCKER_MODELS.items()
        for name in (model, f"{model}Collection")
    },
    **calls("docker.models.swarm.Swarm", "*", "client", _CONTAINERS),
    **{f"kubernetes.client.{api}.*": Blocking("client", _CLUSTER) for api in _KUBERNETES_APIS},
    **calls("kubernetes.watch.Watch", "stream", "client", _CLUSTER),
    **calls(
        "kubernetes.config",
        "load_kube_config load_incluster_config load_config list_kube_config_contexts new_client_from_config",
        "file",
        "await asyncio.to_thread(kubernetes.config.{name}, ...)",
    ),
    **calls("paramiko.SSHClient", "connect exec_command open_sftp invoke_shell", "client", _SSH),
    **calls("paramiko.SSHClient", "load_host_keys load_system_host_keys save_host_keys", "file", _SSH),
    **calls("paramiko.SFTPClient", "*", "client", _SSH),
    **calls(
        "paramiko.Transport",
        "connect start_client start_server open_session open_channel open_sftp_client auth_password auth_publickey"
        " auth_none auth_interactive accept renegotiate_keys request_port_forward global_request",
        "client",
        _SSH,
    ),
    **calls(
        "paramiko.Channel",
        "recv recv_stderr recv_exit_status send sendall send_stderr sendall_stderr exec_command invoke_shell get_pty"
        " invoke_subsystem",
        "client",
        _SSH,
    ),
    **calls(
        "paramiko.file.BufferedFile", "read readline readlines write writelines flush __iter__ __next__", "client", _SSH
    ),
    **calls(
        "dns.resolver",
        "resolve query resolve_address resolve_name zone_for_name canonical_name resolve_at make_resolver_at",
        "client",
        "await dns.asyncresolver.{name}(...)",
    ),
    **calls(
        "dns.resolver.Resolver",
        "resolve query resolve_address resolve_name canonical_name try_ddr",
        "client",
        "await resolver.{name}(...) on a dns.asyncresolver.Resolver",
    ),
    **calls(
        "dns.query",
        "udp tcp tls https quic udp_with_fallback inbound_xfr xfr",
        "client",
        "await dns.asyncquery.{name}(...)",
    ),
    **calls("slack_sdk.WebClient", "*", "client", _SLACK),
    **calls(
        "slack_sdk.webhook.WebhookClient",
        "send send_dict",
        "client",
        "await client.{name}(...) on an AsyncWebhookClient",
    ),
}

NOT_BLOCKING: frozenset[str] = frozenset(
    f"{owner}.{name}"
    for owner, names in {
        "elasticsearch.Elasticsearch": "options close",
        "opensearchpy.OpenSearch": "close",
        "botocore.client.BaseClient": (
            "get_paginator get_waiter can_paginate waiter_names close generate_presigned_url generate_presigned_post"
        ),
        _AWS: "get_available_subresources",
        "minio.Minio": (
            "get_presigned_url presigned_get_object presigned_put_object presigned_post_policy set_app_info trace_on"
            " trace_off list_objects enable_accelerate_endpoint disable_accelerate_endpoint"
        ),
        "kafka.KafkaAdminClient": "close",
        "pika.adapters.blocking_connection.BlockingChannel": (
            "add_on_cancel_callback add_on_return_callback stop_consuming get_waiting_message_count"
        ),
        "docker.APIClient": "close create_host_config create_networking_config create_endpoint_config",
        **{f"docker.models.{kind}.{model}Collection": "prepare_model" for kind, model in _DOCKER_MODELS.items()},
        "paramiko.SFTPClient": "close get_channel getcwd from_transport",
    }.items()
    for name in names.split()
)

LAZY: frozenset[str] = frozenset(
    {
        "elasticsearch.helpers.scan",
        "elasticsearch.helpers.streaming_bulk",
        "elasticsearch.helpers.parallel_bulk",
        "opensearchpy.helpers.scan",
        "opensearchpy.helpers.streaming_bulk",
        "botocore.paginate.PageIterator.search",
        "kubernetes.watch.Watch.stream",
        "dns.query.xfr",
        "pika.adapters.blocking_connection.BlockingChannel.consume",
    }
)
BLOCKING |= calls("pika.adapters.blocking_connection.BlockingChannel", "consume", "client", _AMQP)

NON_BLOCKING_ARGUMENTS: dict[str, tuple[tuple[int | None, str, object], ...]] = {
    **{f"kubernetes.client.{api}.*": ((None, "async_req", True),) for api in _KUBERNETES_APIS},
    "confluent_kafka.Consumer.poll": ((0, "timeout", 0),),
    "confluent_kafka.Producer.poll": ((0, "timeout", 0),),
    "pika.BlockingConnection.process_data_events": ((0, "time_limit", 0),),
}
