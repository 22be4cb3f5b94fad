"""Clients of services on the web, each of which is little more than requests: search, models, mail, code, storage.

Checked against tavily-python 0.8, ddgs 9.16, duckduckgo-search 8.1, exa-py 2.28, firecrawl-py 4.55, mistralai 3.7,
google-generativeai 0.8, dashscope 2.0, zhipuai 2.1, voyageai 0.5, azure-ai-inference 1.0b9, replicate 1.0, mem0ai 2.2,
stripe 16.1, twilio 9.13, sendgrid 6.12, tweepy 4.17, notion-client 3.1, PyGithub 2.10, python-gitlab 8.6, jira 3.10,
hvac 2.4, supabase 2.34 with postgrest, google-cloud-storage 3.17, google-cloud-bigquery 3.47, google-cloud-firestore
2.34, azure-storage-blob 12.31, yt-dlp 2026.10, youtube_dl 2021.12, gTTS 2.5, yfinance 1.7, spotipy 2.26, gspread 6.2,
vertexai of google-cloud-aiplatform 2.7, and the source of wikipedia.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import Client, blocking, calls, classes, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_THREAD = "await asyncio.to_thread(client.{name}, ...)"
_CHUNKS = "create retrieve get list update delete query append search send"
_AZURE = "await client.{name}(...) on a client of azure.storage.blob.aio"
_FIRESTORE = "await reference.{name}(...) of a google.cloud.firestore.AsyncClient"
_SUPABASE = "await query.{name}() of a supabase AsyncClient"
_NOTION = "notion_client.api_endpoints.Endpoint"
_VAULT = "hvac.api.vault_api_base.VaultApiBase"
_GITLAB = "gitlab.base.RESTManager"
_GENERATIVE = {
    f"{package}.{name}": Client(
        requests,
        f"await {what}.{{name}}_async(...)",
        {"start_chat": f"() -> {package}.ChatSession"} if name == "GenerativeModel" else {},
    )
    for package in ("google.generativeai", "vertexai.generative_models")
    for name, requests, what in (
        ("GenerativeModel", "generate_content count_tokens", "model"),
        ("ChatSession", "send_message", "chat"),
    )
}
_MEMORY = "add get get_all search update delete delete_all history reset"

_CLIENTS: dict[str, Client] = {
    # Search and reading.
    "tavily.TavilyClient": Client(
        "search extract crawl map get_search_context qna_search research",
        "await client.{name}(...) on AsyncTavilyClient",
    ),
    "ddgs.DDGS": Client("text images news videos books extract", _THREAD, {"__enter__": "() -> Self"}),
    "duckduckgo_search.DDGS": Client("text images news videos chat", _THREAD, {"__enter__": "() -> Self"}),
    "exa_py.Exa": Client(
        "search search_and_contents get_contents find_similar find_similar_and_contents answer",
        "await exa.{name}(...) on exa_py.AsyncExa",
    ),
    "firecrawl.Firecrawl": Client(
        "scrape scrape_url crawl crawl_url map map_url search extract batch_scrape batch_scrape_urls parse",
        "await client.{name}(...) on firecrawl.AsyncFirecrawl",
    ),
    # Models.
    "mistralai.Mistral": Client("", "", {"__enter__": "() -> Self", "*": "mistralai.basesdk.BaseSDK"}),
    "mistralai.basesdk.BaseSDK": Client(
        "complete stream parse create process upload list retrieve delete download moderate classify",
        "await the same call with _async at its end",
        {"*": "mistralai.basesdk.BaseSDK"},
    ),
    **_GENERATIVE,
    "zhipuai.ZhipuAI": Client("", "", {"*": "zhipuai.core._base_api.BaseAPI"}),
    "zhipuai.core._base_api.BaseAPI": Client(
        "create completions generations", "await asyncio.to_thread(...)", {"*": "zhipuai.core._base_api.BaseAPI"}
    ),
    "voyageai.Client": Client(
        "embed contextualized_embed rerank multimodal_embed", "await client.{name}(...) on voyageai.AsyncClient"
    ),
    "azure.ai.inference.ChatCompletionsClient": Client(
        "complete get_model_info", "await client.{name}(...) on the client of azure.ai.inference.aio"
    ),
    "azure.ai.inference.EmbeddingsClient": Client(
        "embed get_model_info", "await client.{name}(...) on the client of azure.ai.inference.aio"
    ),
    "mem0.Memory": Client(_MEMORY, "await memory.{name}(...) on mem0.AsyncMemory", {"from_config": "() -> Self"}),
    "mem0.MemoryClient": Client(f"{_MEMORY} users", "await client.{name}(...) on mem0.AsyncMemoryClient"),
    # Messages and payments.
    "twilio.rest.Client": Client("", "", members("messages calls", "twilio.base.list_resource.ListResource")),
    "twilio.base.list_resource.ListResource": Client("create list", "await client.messages.{name}_async(...)"),
    "sendgrid.SendGridAPIClient": Client("send", _THREAD),
    "tweepy.Client": Client(
        """create_tweet delete_tweet like unlike retweet unretweet get_tweet get_tweets get_user get_users get_me
        get_users_tweets get_users_mentions get_users_followers get_users_following get_home_timeline
        search_recent_tweets search_all_tweets follow_user unfollow_user create_direct_message""",
        "await client.{name}(...) on tweepy.asynchronous.AsyncClient",
    ),
    # Code and documents.
    "notion_client.Client": Client(
        "search",
        "await client.{name}(...) on notion_client.AsyncClient",
        members("pages databases blocks users", _NOTION),
    ),
    _NOTION: Client(_CHUNKS, "await the same call on notion_client.AsyncClient", {"*": _NOTION}),
    "github.Github": Client(
        "get_repo get_organization get_gist get_user_by_id get_rate_limit",
        _THREAD,
        {"get_repo": "() -> github.Repository.Repository", "close": "() -> None"},
    ),
    "github.Repository.Repository": Client(
        """get_contents get_readme get_issue get_pull get_branch get_commit get_git_ref create_file update_file
        delete_file create_issue create_pull create_git_ref create_git_tag edit merge""",
        "await asyncio.to_thread(repository.{name}, ...)",
        {
            **members("get_issue create_issue", "() -> github.Issue.Issue"),
            **members("get_pull create_pull", "() -> github.PullRequest.PullRequest"),
        },
    ),
    "github.Issue.Issue": Client(
        "create_comment edit add_to_labels remove_from_labels", "await asyncio.to_thread(issue.{name}, ...)"
    ),
    "github.PullRequest.PullRequest": Client(
        "create_issue_comment create_review edit merge", "await asyncio.to_thread(pull.{name}, ...)"
    ),
    "gitlab.Gitlab": Client(
        "auth", _THREAD, {"__enter__": "() -> Self", **members("projects groups users issues mergerequests", _GITLAB)}
    ),
    _GITLAB: Client(
        "get list create update delete",
        "await asyncio.to_thread(manager.{name}, ...)",
        members("get create", "() -> gitlab.base.RESTObject"),
    ),
    "gitlab.base.RESTObject": Client(
        "save delete", "await asyncio.to_thread(found.{name})", members("issues mergerequests files branches", _GITLAB)
    ),
    "jira.JIRA": Client(
        """issue create_issue search_issues add_comment comments transition_issue transitions projects project myself
        user server_info fields boards sprints assign_issue add_attachment create_issue_link""",
        "await asyncio.to_thread(jira.{name}, ...)",
    ),
    "gspread.Client": Client(
        "open open_by_key open_by_url openall create copy", "gspread_asyncio, or asyncio.to_thread"
    ),
    "spotipy.Spotify": Client(
        "search track tracks artist album album_tracks playlist playlist_items user current_user",
        "await asyncio.to_thread(spotify.{name}, ...)",
    ),
    # Secrets and data.
    "hvac.Client": Client(
        "read write list delete is_authenticated lookup_token", _THREAD, members("secrets auth sys", _VAULT)
    ),
    _VAULT: Client("*", "await asyncio.to_thread(...)", {"*": _VAULT}),
    "supabase.Client": Client("", "", members("table from_ rpc", "() -> postgrest.SyncRequestBuilder")),
    # One class for all of them: a query, each of whose methods gives the next, until it is sent.
    "postgrest.SyncRequestBuilder": Client("execute", _SUPABASE, {"execute": "() -> ?", "*": "() -> Self"}),
    "google.cloud.storage.Client": Client(
        "get_bucket lookup_bucket create_bucket download_blob_to_file",
        _THREAD,
        members("bucket get_bucket create_bucket", "() -> google.cloud.storage.Bucket"),
    ),
    "google.cloud.storage.Bucket": Client(
        "exists create reload get_blob delete delete_blob delete_blobs copy_blob rename_blob",
        "await asyncio.to_thread(bucket.{name}, ...)",
        members("blob get_blob", "() -> google.cloud.storage.Blob"),
    ),
    "google.cloud.storage.Blob": Client(
        """exists delete reload patch download_to_file download_to_filename download_as_bytes download_as_string
        download_as_text upload_from_file upload_from_filename upload_from_string make_public compose rewrite""",
        "await asyncio.to_thread(blob.{name}, ...)",
    ),
    "google.cloud.bigquery.Client": Client(
        """query query_and_wait get_table get_dataset create_table create_dataset delete_table delete_dataset
        update_table insert_rows insert_rows_json load_table_from_uri load_table_from_file load_table_from_json
        load_table_from_dataframe copy_table extract_table get_job""",
        _THREAD,
        {"query": "() -> google.cloud.bigquery.QueryJob"},
    ),
    "google.cloud.bigquery.QueryJob": Client(
        "result to_arrow to_dataframe __iter__", "await asyncio.to_thread(job.result, ...)"
    ),
    "google.cloud.firestore.Client": Client(
        "",
        "",
        {
            "collection": "() -> google.cloud.firestore.CollectionReference",
            "document": "() -> google.cloud.firestore.DocumentReference",
        },
    ),
    "google.cloud.firestore.CollectionReference": Client(
        "add get", _FIRESTORE, {"document": "() -> google.cloud.firestore.DocumentReference"}
    ),
    "google.cloud.firestore.DocumentReference": Client(
        "create set update delete get",
        _FIRESTORE,
        {"collection": "() -> google.cloud.firestore.CollectionReference"},
    ),
    "azure.storage.blob.BlobServiceClient": Client(
        "create_container delete_container get_account_information get_service_properties",
        _AZURE,
        {
            **members("__enter__ from_connection_string", "() -> Self"),
            "get_container_client": "() -> azure.storage.blob.ContainerClient",
            "get_blob_client": "() -> azure.storage.blob.BlobClient",
        },
    ),
    "azure.storage.blob.ContainerClient": Client(
        "create_container delete_container exists get_container_properties upload_blob download_blob delete_blob",
        _AZURE,
        {
            **members("__enter__ from_connection_string from_container_url", "() -> Self"),
            "get_blob_client": "() -> azure.storage.blob.BlobClient",
        },
    ),
    "azure.storage.blob.BlobClient": Client(
        """upload_blob download_blob delete_blob exists get_blob_properties set_blob_metadata start_copy_from_url
        stage_block commit_block_list append_block""",
        _AZURE,
        members("__enter__ from_connection_string from_blob_url", "() -> Self"),
    ),
    # Media.
    "yt_dlp.YoutubeDL": Client(
        "extract_info download", "await asyncio.to_thread(downloader.{name}, ...)", {"__enter__": "() -> Self"}
    ),
    "youtube_dl.YoutubeDL": Client(
        "extract_info download", "await asyncio.to_thread(downloader.{name}, ...)", {"__enter__": "() -> Self"}
    ),
    "gtts.gTTS": Client("save write_to_fp", "await asyncio.to_thread(speech.{name}, ...)"),
    "yfinance.Ticker": Client("history option_chain", "await asyncio.to_thread(ticker.{name}, ...)"),
}

CLASSES: dict[str, ClassFact] = classes(_CLIENTS)

FUNCTIONS: dict[str, str] = {"supabase.create_client": "() -> supabase.Client"}

ALIASES: dict[str, str] = {
    "tavily.Client": "tavily.TavilyClient",
    "firecrawl.FirecrawlApp": "firecrawl.Firecrawl",
    "mistralai.client.Mistral": "mistralai.Mistral",
    "mem0.memory.main.Memory": "mem0.Memory",
    "mem0.client.main.MemoryClient": "mem0.MemoryClient",
    "google.generativeai.generative_models.GenerativeModel": "google.generativeai.GenerativeModel",
    "vertexai.preview.generative_models.GenerativeModel": "vertexai.generative_models.GenerativeModel",
    "gitlab.client.Gitlab": "gitlab.Gitlab",
    "jira.client.JIRA": "jira.JIRA",
    "gspread.client.Client": "gspread.Client",
    "spotipy.client.Spotify": "spotipy.Spotify",
    "supabase.SyncClient": "supabase.Client",
    "google.cloud.storage.client.Client": "google.cloud.storage.Client",
    "google.cloud.storage.bucket.Bucket": "google.cloud.storage.Bucket",
    "google.cloud.storage.blob.Blob": "google.cloud.storage.Blob",
    "google.cloud.firestore_v1.Client": "google.cloud.firestore.Client",
}

_STRIPE = """Account Balance Charge Coupon Customer Dispute Event Invoice InvoiceItem PaymentIntent PaymentLink
    PaymentMethod Payout Plan Price Product PromotionCode Refund SetupIntent Source Subscription SubscriptionItem
    Transfer checkout.Session billing_portal.Session""".split()
_DASHSCOPE = "Generation MultiModalConversation TextEmbedding MultiModalEmbedding ImageSynthesis TextReRank Application"

BLOCKING: dict[str, Blocking] = {
    **blocking(_CLIENTS, "client"),
    **{
        key: fact
        for name in _STRIPE
        for key, fact in calls(
            f"stripe.{name}",
            "create retrieve modify list delete cancel search",
            "client",
            f"await stripe.{name}.{{name}}_async(...)",
        ).items()
    },
    **{
        f"dashscope.{module}{name}.call": Blocking("client", f"await asyncio.to_thread(dashscope.{name}.call, ...)")
        for name in _DASHSCOPE.split()
        for module in ("", "embeddings." if name.endswith("Embedding") else "aigc.")
    },
    # Asks the server who it is.
    "jira.JIRA": Blocking("client", "await asyncio.to_thread(jira.JIRA, ...)"),
    **calls(
        "google.generativeai", "embed_content upload_file list_models", "client", _THREAD.replace("client", "genai")
    ),
    "replicate.run": Blocking("client", "await replicate.async_run(...)"),
    "yfinance.download": Blocking("client", "await asyncio.to_thread(yfinance.download, ...)"),
    **calls("wikipedia", "summary page search suggest", "client", "await asyncio.to_thread(wikipedia.{name}, ...)"),
}
