"""More clients of services: Azure, Google Cloud, Firebase, chains of blocks, forums, maps, search, files, caches.

Checked against the wheels of azure-keyvault-secrets 4, azure-cosmos 4, azure-servicebus 7, azure-search-documents 12,
azure-data-tables 12, azure-storage-queue 12, azure-identity 1, google-cloud-secret-manager 2, -texttospeech 2,
-speech 2, -vision 3, -tasks 2, -translate 3, -pubsub 2, vertexai.rag of google-cloud-aiplatform, firebase-admin 7,
web3 8, praw 8, meilisearch 0.4, simple-salesforce 1, dropbox 12, pymemcache 4, trafilatura 2, python-whois 0.9,
websocket-client 1, clickhouse-driver 0.2, and the sources of googlemaps 4.10 and google-search-results 2.4.

What only describes a list that is fetched as it is gone through (`query_items`, `list_secrets`, `search` of Azure)
gives an `ItemPaged`, and blocks where that is looped over.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import Client, blocking, calls, classes, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_THREAD = "await asyncio.to_thread(client.{name}, ...)"
_PAGED = "() -> azure.core.paging.ItemPaged"
_ENTERED = {"__enter__": "() -> Self"}
_CREATED = members("__enter__ from_connection_string", "() -> Self")
_CREDENTIALS = """DefaultAzureCredential ChainedTokenCredential ManagedIdentityCredential ClientSecretCredential
    AzureCliCredential EnvironmentCredential CertificateCredential WorkloadIdentityCredential""".split()
_CONTRACT = "web3.contract.Contract"
_LISTING = "praw.models.ListingGenerator"
_REDDIT = "asyncpraw, or await asyncio.to_thread(...)"


def _aio(package: str) -> str:
    return f"await client.{{name}}(...) on the client of {package}.aio"


def _google(service: str, client: str, requests: str) -> dict[str, Client]:
    return {
        f"google.cloud.{service}.{client}": Client(
            requests,
            f"await client.{{name}}(...) on {service}.{client.replace('Client', 'AsyncClient')}",
            members("__enter__ from_service_account_file from_service_account_info", "() -> Self"),
        )
    }


_AZURE: dict[str, Client] = {
    "azure.core.paging.ItemPaged": Client("__iter__ __next__", "an async for over what the async client gives"),
    **{
        f"azure.identity.{name}": Client("get_token", _aio("azure.identity").replace("client", "credential"), _ENTERED)
        for name in _CREDENTIALS
    },
    "azure.keyvault.secrets.SecretClient": Client(
        "get_secret set_secret update_secret_properties begin_delete_secret get_deleted_secret purge_deleted_secret",
        _aio("azure.keyvault.secrets"),
        {**_ENTERED, **members("list_properties_of_secrets list_properties_of_secret_versions", _PAGED)},
    ),
    "azure.cosmos.CosmosClient": Client(
        "create_database create_database_if_not_exists delete_database",
        _aio("azure.cosmos"),
        {
            **_CREATED,
            **members(
                "get_database_client create_database create_database_if_not_exists", "() -> azure.cosmos.DatabaseProxy"
            ),
        },
    ),
    "azure.cosmos.DatabaseProxy": Client(
        "read create_container create_container_if_not_exists delete_container replace_container",
        _aio("azure.cosmos").replace("client", "database", 1),
        members(
            "get_container_client create_container create_container_if_not_exists", "() -> azure.cosmos.ContainerProxy"
        ),
    ),
    "azure.cosmos.ContainerProxy": Client(
        "read read_item replace_item upsert_item create_item patch_item delete_item execute_item_batch",
        _aio("azure.cosmos").replace("client", "container", 1),
        members("query_items read_all_items", _PAGED),
    ),
    "azure.servicebus.ServiceBusClient": Client(
        "",
        "",
        {
            **_CREATED,
            **members("get_queue_sender get_topic_sender", "() -> azure.servicebus.ServiceBusSender"),
            **members("get_queue_receiver get_subscription_receiver", "() -> azure.servicebus.ServiceBusReceiver"),
        },
    ),
    "azure.servicebus.ServiceBusSender": Client(
        "send_messages schedule_messages cancel_scheduled_messages create_message_batch",
        _aio("azure.servicebus").replace("client", "sender", 1),
        _ENTERED,
    ),
    "azure.servicebus.ServiceBusReceiver": Client(
        """receive_messages receive_deferred_messages peek_messages complete_message abandon_message defer_message
        dead_letter_message renew_message_lock __iter__""",
        _aio("azure.servicebus").replace("client", "receiver", 1),
        _ENTERED,
    ),
    "azure.search.documents.SearchClient": Client(
        """get_document get_document_count upload_documents merge_documents merge_or_upload_documents delete_documents
        index_documents""",
        _aio("azure.search.documents"),
        {**_ENTERED, "search": _PAGED},
    ),
    "azure.data.tables.TableServiceClient": Client(
        "create_table create_table_if_not_exists delete_table get_service_properties",
        _aio("azure.data.tables"),
        {
            **_CREATED,
            **members(
                "get_table_client create_table create_table_if_not_exists", "() -> azure.data.tables.TableClient"
            ),
            **members("list_tables query_tables", _PAGED),
        },
    ),
    "azure.data.tables.TableClient": Client(
        """create_table delete_table delete_entity create_entity update_entity upsert_entity get_entity
        submit_transaction""",
        _aio("azure.data.tables"),
        {**_CREATED, **members("list_entities query_entities", _PAGED)},
    ),
    "azure.storage.queue.QueueServiceClient": Client(
        "create_queue delete_queue get_service_properties",
        _aio("azure.storage.queue"),
        {**_CREATED, **members("get_queue_client create_queue", "() -> azure.storage.queue.QueueClient")},
    ),
    "azure.storage.queue.QueueClient": Client(
        """create_queue delete_queue get_queue_properties send_message receive_message update_message peek_messages
        clear_messages delete_message""",
        _aio("azure.storage.queue"),
        {**_CREATED, "receive_messages": _PAGED},
    ),
}

_GOOGLE: dict[str, Client] = {
    **_google(
        "secretmanager",
        "SecretManagerServiceClient",
        """create_secret add_secret_version get_secret update_secret delete_secret access_secret_version
        get_secret_version destroy_secret_version list_secrets list_secret_versions""",
    ),
    **_google("texttospeech", "TextToSpeechClient", "synthesize_speech list_voices"),
    **_google("speech", "SpeechClient", "recognize long_running_recognize"),
    **_google(
        "vision",
        "ImageAnnotatorClient",
        """annotate_image batch_annotate_images batch_annotate_files text_detection document_text_detection
        label_detection face_detection object_localization safe_search_detection web_detection""",
    ),
    **_google("tasks_v2", "CloudTasksClient", "create_task delete_task get_task get_queue create_queue list_tasks"),
    **_google(
        "pubsub_v1",
        "SubscriberClient",
        """pull acknowledge modify_ack_deadline create_subscription get_subscription delete_subscription
        update_subscription seek""",
    ),
    "google.cloud.translate_v2.Client": Client("translate detect_language get_languages", _THREAD),
}

_OTHERS: dict[str, Client] = {
    "firebase_admin.db.Reference": Client(
        "get set update push delete transaction get_if_changed set_if_unchanged",
        "await asyncio.to_thread(reference.{name}, ...)",
        {"child": "() -> Self"},
    ),
    # Ethereum.
    "web3.Web3": Client("is_connected", "await w3.is_connected() on an AsyncWeb3", {"eth": "web3.eth.Eth"}),
    "web3.eth.Eth": Client(
        """fee_history call estimate_gas get_transaction get_raw_transaction send_transaction send_raw_transaction
        get_block get_block_receipts get_balance get_code get_logs get_transaction_count get_transaction_receipt
        wait_for_transaction_receipt get_storage_at""",
        "await w3.eth.{name}(...) on an AsyncWeb3",
        {"contract": f"() -> {_CONTRACT}"},
    ),
    _CONTRACT: Client("", "", {"functions": f"{_CONTRACT}Functions"}),
    f"{_CONTRACT}Functions": Client("", "", {"*": f"() -> {_CONTRACT}Function"}),
    f"{_CONTRACT}Function": Client(
        "call transact estimate_gas", "await the same call on a contract of an AsyncWeb3", {"__call__": "() -> Self"}
    ),
    # Forums, maps, search.
    "praw.Reddit": Client(
        "get post put patch delete request info",
        _REDDIT,
        {
            **_ENTERED,
            "subreddit": "() -> praw.models.Subreddit",
            "submission": "() -> praw.models.Submission",
            "comment": "() -> praw.models.Comment",
        },
    ),
    "praw.models.Subreddit": Client(
        "submit submit_image submit_video submit_poll random sticky traffic subscribe unsubscribe",
        _REDDIT,
        {
            **members("submit submit_image random sticky", "() -> praw.models.Submission"),
            **members("hot new top rising controversial search comments", f"() -> {_LISTING}"),
        },
    ),
    "praw.models.Submission": Client(
        "reply edit delete upvote downvote clear_vote save unsave hide report crosspost",
        _REDDIT,
        {"comments": "praw.models.comment_forest.CommentForest"},
    ),
    "praw.models.Comment": Client("reply edit delete upvote downvote refresh report", _REDDIT),
    "praw.models.comment_forest.CommentForest": Client("replace_more", _REDDIT),
    _LISTING: Client("__iter__ __next__", _REDDIT),
    "googlemaps.Client": Client(
        """directions distance_matrix elevation elevation_along_path geocode reverse_geocode geolocate timezone
        snap_to_roads nearest_roads find_place places places_nearby place places_autocomplete""",
        _THREAD,
    ),
    "meilisearch.Client": Client(
        """create_index delete_index get_indexes get_index multi_search get_all_stats health is_healthy get_task
        get_tasks wait_for_task""",
        "await client.{name}(...) on meilisearch_python_sdk.AsyncClient, or asyncio.to_thread",
        members("index get_index", "() -> meilisearch.index.Index"),
    ),
    "meilisearch.index.Index": Client(
        """search get_document get_documents add_documents update_documents delete_document delete_documents
        delete_all_documents get_settings update_settings get_stats wait_for_task""",
        "await index.{name}(...) of meilisearch_python_sdk.AsyncClient, or asyncio.to_thread",
    ),
    "serpapi.GoogleSearch": Client(
        "get_dict get_json get_raw_json get_html get_results", "await asyncio.to_thread(search.{name})"
    ),
    # Customers, files, caches, messages.
    "simple_salesforce.Salesforce": Client(
        "describe search quick_search limits query query_more query_all apexecute toolingexecute restful", _THREAD
    ),
    "dropbox.Dropbox": Client(
        """files_upload files_download files_download_to_file files_download_zip_to_file files_list_folder
        files_list_folder_continue files_get_metadata files_delete files_delete_v2 files_move files_move_v2 files_copy
        files_copy_v2 files_create_folder_v2 files_search_v2 files_get_temporary_link files_export
        files_upload_session_start files_upload_session_append_v2 files_upload_session_finish
        sharing_create_shared_link_with_settings sharing_list_shared_links users_get_current_account""",
        _THREAD,
        _ENTERED,
    ),
    "pymemcache.client.base.Client": Client(
        "set set_many add replace append prepend cas get get_many gets gets_many delete delete_many incr decr touch",
        "await client.{name}(...) on an aiomcache.Client",
    ),
    "websocket.WebSocket": Client(
        "connect recv recv_data recv_data_frame recv_frame", "await websockets.connect(...) and its recv()"
    ),
}

_CLIENTS = {**_AZURE, **_GOOGLE, **_OTHERS}
_DATABASES: dict[str, Client] = {
    "clickhouse_driver.Client": Client(
        "execute execute_iter execute_with_progress query_dataframe insert_dataframe",
        "await asyncio.to_thread(client.{name}, ...)",
        {**_ENTERED, "from_url": "() -> Self"},
    ),
}

CLASSES: dict[str, ClassFact] = {**classes(_CLIENTS), **classes(_DATABASES)}

FUNCTIONS: dict[str, str] = {
    "firebase_admin.firestore.client": "() -> google.cloud.firestore.Client",
    "firebase_admin.db.reference": "() -> firebase_admin.db.Reference",
    "websocket.create_connection": "() -> websocket.WebSocket",
}

ALIASES: dict[str, str] = {
    "praw.reddit.Reddit": "praw.Reddit",
    "praw.models.reddit.subreddit.Subreddit": "praw.models.Subreddit",
    "web3.main.Web3": "web3.Web3",
    "web3.contract.contract.Contract": _CONTRACT,
    "meilisearch.client.Client": "meilisearch.Client",
    "dropbox.dropbox_client.Dropbox": "dropbox.Dropbox",
    "pymemcache.Client": "pymemcache.client.base.Client",
    "pymemcache.client.Client": "pymemcache.client.base.Client",
    "clickhouse_driver.client.Client": "clickhouse_driver.Client",
    "google.cloud.secretmanager_v1.SecretManagerServiceClient": "google.cloud.secretmanager.SecretManagerServiceClient",
    "google.cloud.texttospeech_v1.TextToSpeechClient": "google.cloud.texttospeech.TextToSpeechClient",
    "google.cloud.speech_v1.SpeechClient": "google.cloud.speech.SpeechClient",
    "google.cloud.vision_v1.ImageAnnotatorClient": "google.cloud.vision.ImageAnnotatorClient",
    "google.cloud.translate.Client": "google.cloud.translate_v2.Client",
}

BLOCKING: dict[str, Blocking] = {
    **blocking(_CLIENTS, "client"),
    **blocking(_DATABASES, "database"),
    **calls(
        "firebase_admin.messaging",
        "send send_each send_each_for_multicast send_multicast send_all subscribe_to_topic unsubscribe_from_topic",
        "client",
        "await asyncio.to_thread(messaging.{name}, ...)",
    ),
    **calls(
        "firebase_admin.auth",
        """get_user get_user_by_email get_user_by_phone_number get_users list_users create_user update_user delete_user
        delete_users set_custom_user_claims revoke_refresh_tokens create_session_cookie
        generate_password_reset_link generate_email_verification_link generate_sign_in_with_email_link""",
        "client",
        "await asyncio.to_thread(auth.{name}, ...)",
    ),
    **{
        key: fact
        for module in ("vertexai.rag", "vertexai.preview.rag")
        for key, fact in calls(
            module,
            """retrieval_query create_corpus update_corpus get_corpus list_corpora delete_corpus upload_file
            import_files get_file list_files delete_file""",
            "client",
            "await asyncio.to_thread(rag.{name}, ...)",
        ).items()
    },
    **calls("trafilatura", "fetch_url fetch_response", "client", "await asyncio.to_thread(trafilatura.{name}, ...)"),
    "websocket.create_connection": Blocking("client", "await websockets.connect(...)"),
    "whois.whois": Blocking("client", "await asyncio.to_thread(whois.whois, ...)"),
}
