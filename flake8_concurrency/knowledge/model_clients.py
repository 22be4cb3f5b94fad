"""Clients of language models and vector stores, each with its async twin.

Checked against openai 3.54, anthropic 2.12, groq 1.7, cohere 7.3, mistralai 3.7, ollama 0.6, google-genai 3.4,
huggingface_hub 2.4, litellm 1.109, langchain-core 1.7, chromadb 1.5, qdrant-client 1.20, pymilvus 3.0, together 2.24.

openai, anthropic, groq and together are made by one generator: a client's attributes are resources, whose attributes
are resources, and whose methods are requests. So `client.chat.completions.create(...)` is a call on a SyncAPIResource.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.langchain_models import MODEL_MEMBERS
from flake8_concurrency.knowledge.notation import FromArgument, calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

#: Package, and its sync clients; each has an async one of the same name with `Async` before it.
_GENERATED = {
    "openai": ("OpenAI", "AzureOpenAI"),
    "anthropic": ("Anthropic", "AnthropicBedrock", "AnthropicVertex"),
    "groq": ("Groq",),
    "together": ("Together",),
}
_SETTINGS = (
    "api_key auth_token organization project base_url max_retries timeout default_headers default_query qs user_agent"
)
_REQUESTS = "get post put patch delete request"


def _generated(package: str, client: str) -> dict[str, ClassFact]:
    """One client, sync and async."""
    return {
        f"{package}.{client}": ClassFact(
            members={
                "__enter__": "() -> Self",
                **members("copy with_options", "() -> Self"),
                **members(_SETTINGS, "?"),
                **members(_REQUESTS, "() -> ?"),
                "close": "() -> None",
                **members("is_closed platform_headers", "() -> ?"),
                "*": f"{package}._resource.SyncAPIResource",
            },
        ),
        f"{package}.Async{client}": ClassFact(
            members={
                "__aenter__": "async () -> Self",
                **members("copy with_options", "() -> Self"),
                **members(_SETTINGS, "?"),
                **members(_REQUESTS, "async () -> ?"),
                "close": "async () -> None",
                "*": f"{package}._resource.AsyncAPIResource",
            },
        ),
    }


#: Resources of a client of google.genai, each a class of its own.
_GENAI = ("batches", "caches", "interactions", "operations")
_EMBED = "embed_documents embed_query"
_CHROMA_COLLECTION = "add get peek query update upsert delete count modify fork search"

CLASSES: dict[str, ClassFact] = {
    **{
        name: fact
        for package, clients in _GENERATED.items()
        for client in clients
        for name, fact in _generated(package, client).items()
    },
    **{
        f"{package}._resource.{flavour}APIResource": ClassFact(
            members={"*": f"{package}._resource.{flavour}APIResource"}
        )
        for package in _GENERATED
        for flavour in ("Sync", "Async")
    },
    "cohere.Client": ClassFact(members={"__enter__": "() -> Self"}),
    "cohere.ClientV2": ClassFact(members={"__enter__": "() -> Self"}),
    "cohere.AsyncClient": ClassFact(members={"__aenter__": "async () -> Self"}),
    "cohere.AsyncClientV2": ClassFact(members={"__aenter__": "async () -> Self"}),
    "ollama.Client": ClassFact(),
    "ollama.AsyncClient": ClassFact(),
    "google.genai.Client": ClassFact(
        members={
            "models": "google.genai.models.Models",
            "files": "google.genai.files.Files",
            "chats": "google.genai.chats.Chats",
            **{name: f"google.genai.{name}.{name.title()}" for name in _GENAI},
            "aio": "google.genai.client.AsyncClient",
        },
    ),
    "google.genai.client.AsyncClient": ClassFact(),
    "google.genai.chats.Chats": ClassFact(members={"create": "() -> google.genai.chats.Chat"}),
    "google.genai.chats.Chat": ClassFact(),
    **{f"google.genai.{name}.{name.title()}": ClassFact() for name in _GENAI},
    "google.genai.models.Models": ClassFact(),
    "google.genai.files.Files": ClassFact(),
    "huggingface_hub.InferenceClient": ClassFact(),
    "huggingface_hub.AsyncInferenceClient": ClassFact(),
    "huggingface_hub.HfApi": ClassFact(),
    "langchain_core.language_models.BaseLanguageModel": ClassFact(members=MODEL_MEMBERS),
    "langchain_core.language_models.BaseChatModel": ClassFact(("langchain_core.language_models.BaseLanguageModel",)),
    "langchain_core.language_models.BaseLLM": ClassFact(("langchain_core.language_models.BaseLanguageModel",)),
    "langchain_openai.ChatOpenAI": ClassFact(("langchain_core.language_models.BaseChatModel",)),
    "langchain_openai.AzureChatOpenAI": ClassFact(("langchain_core.language_models.BaseChatModel",)),
    "langchain_openai.OpenAIEmbeddings": ClassFact(("langchain_core.embeddings.Embeddings",)),
    "langchain_anthropic.ChatAnthropic": ClassFact(("langchain_core.language_models.BaseChatModel",)),
    "langchain_core.embeddings.Embeddings": ClassFact(
        members={
            **members(_EMBED, "() -> builtins.list[?]"),
            **members("aembed_documents aembed_query", "async () -> builtins.list[?]"),
        },
    ),
    "langchain_core.retrievers.BaseRetriever": ClassFact(
        members={"invoke": "() -> builtins.list[?]", "ainvoke": "async () -> builtins.list[?]"},
    ),
    "langchain_core.vectorstores.VectorStore": ClassFact(
        members={"as_retriever": "() -> langchain_core.retrievers.BaseRetriever"},
    ),
    "chromadb.api.ClientAPI": ClassFact(
        members={
            **members("create_collection get_collection get_or_create_collection", "() -> chromadb.Collection"),
            "list_collections": "() -> builtins.list[chromadb.Collection]",
        },
    ),
    "chromadb.Collection": ClassFact(members={"count": "() -> builtins.int"}),
    "chromadb.api.AsyncClientAPI": ClassFact(
        members={
            **members(
                "create_collection get_collection get_or_create_collection",
                "async () -> chromadb.api.models.AsyncCollection.AsyncCollection",
            ),
        },
    ),
    "chromadb.api.models.AsyncCollection.AsyncCollection": ClassFact(
        members=members(_CHROMA_COLLECTION, "async () -> ?"),
    ),
    "qdrant_client.QdrantClient": ClassFact(),
    "qdrant_client.AsyncQdrantClient": ClassFact(),
    "pymilvus.MilvusClient": ClassFact(),
    "pymilvus.AsyncMilvusClient": ClassFact(),
}

#: instructor gives back the client that it is given, with a few arguments more to its requests.
_PATCHING = [f"instructor.{name}" for name in ("from_openai", "from_anthropic", "from_groq", "patch")]

FROM_ARGUMENT: dict[str, FromArgument] = dict.fromkeys(_PATCHING, FromArgument(0, "client", "T"))

FUNCTIONS: dict[str, str] = {
    **dict.fromkeys(_PATCHING, "() -> T"),
    **{
        f"chromadb.{flavour}": "() -> chromadb.api.ClientAPI"
        for flavour in ("Client", "HttpClient", "PersistentClient", "EphemeralClient", "CloudClient")
    },
    "chromadb.AsyncHttpClient": "async () -> chromadb.api.AsyncClientAPI",
}

#: The module itself works as a client: `openai.chat.completions.create(...)`.
CONSTANTS: dict[str, str] = {
    f"openai.{name}": "openai._resource.SyncAPIResource"
    for name in "chat completions embeddings responses images audio files models moderations beta batches".split()
}

ALIASES: dict[str, str] = {
    "openai.Client": "openai.OpenAI",
    "openai.AsyncClient": "openai.AsyncOpenAI",
    "openai._client.OpenAI": "openai.OpenAI",
    "openai._client.AsyncOpenAI": "openai.AsyncOpenAI",
    "openai.lib.azure.AzureOpenAI": "openai.AzureOpenAI",
    "openai.lib.azure.AsyncAzureOpenAI": "openai.AsyncAzureOpenAI",
    "anthropic.Client": "anthropic.Anthropic",
    "anthropic.AsyncClient": "anthropic.AsyncAnthropic",
    "anthropic._client.Anthropic": "anthropic.Anthropic",
    "anthropic._client.AsyncAnthropic": "anthropic.AsyncAnthropic",
    "groq.Client": "groq.Groq",
    "together.Client": "together.Together",
    "together.AsyncClient": "together.AsyncTogether",
    "ollama._client.Client": "ollama.Client",
    "google.genai.client.Client": "google.genai.Client",
    "huggingface_hub.inference._client.InferenceClient": "huggingface_hub.InferenceClient",
    "huggingface_hub.hf_api.HfApi": "huggingface_hub.HfApi",
    "langchain_core.language_models.base.BaseLanguageModel": "langchain_core.language_models.BaseLanguageModel",
    "langchain_core.language_models.chat_models.BaseChatModel": "langchain_core.language_models.BaseChatModel",
    "langchain_core.language_models.llms.BaseLLM": "langchain_core.language_models.BaseLLM",
    "langchain_core.embeddings.embeddings.Embeddings": "langchain_core.embeddings.Embeddings",
    "langchain_core.vectorstores.base.VectorStore": "langchain_core.vectorstores.VectorStore",
    "chromadb.ClientAPI": "chromadb.api.ClientAPI",
    "chromadb.AsyncClientAPI": "chromadb.api.AsyncClientAPI",
    "chromadb.api.async_api.AsyncClientAPI": "chromadb.api.AsyncClientAPI",
    "chromadb.api.models.Collection.Collection": "chromadb.Collection",
    "qdrant_client.qdrant_client.QdrantClient": "qdrant_client.QdrantClient",
    "qdrant_client.async_qdrant_client.AsyncQdrantClient": "qdrant_client.AsyncQdrantClient",
    "pymilvus.milvus_client.MilvusClient": "pymilvus.MilvusClient",
}

BLOCKING: dict[str, Blocking] = {
    **{
        key: fact
        for package, clients in _GENERATED.items()
        for client in clients
        for key, fact in calls(
            f"{package}.{client}", _REQUESTS, "client", f"await client.{{name}}(...) on {package}.Async{client}"
        ).items()
    },
    **{
        f"{package}._resource.SyncAPIResource.*": Blocking(
            "client", f"await the same call on {package}.Async{clients[0]}"
        )
        for package, clients in _GENERATED.items()
    },
    # openai before 1.0.
    **{
        f"openai.{name}.create": Blocking("client", "await client....create(...) on openai.AsyncOpenAI")
        for name in ("ChatCompletion", "Completion", "Embedding", "Image", "Moderation")
    },
    **calls("cohere.Client", "*", "client", "await the same call on cohere.AsyncClient"),
    **calls("cohere.ClientV2", "*", "client", "await the same call on cohere.AsyncClientV2"),
    **calls("ollama.Client", "*", "client", "await the same call on ollama.AsyncClient"),
    **calls(
        "ollama",
        "chat generate embed embeddings list pull push create delete show copy ps",
        "client",
        "await client.{name}(...) on ollama.AsyncClient",
    ),
    **calls("google.genai.models.Models", "*", "client", "await client.aio.models.method(...)"),
    **calls("google.genai.chats.Chat", "send_message", "client", "await chat.send_message(...) of client.aio.chats"),
    **{
        key: fact
        for name in _GENAI
        for key, fact in calls(
            f"google.genai.{name}.{name.title()}",
            "create get list delete cancel update",
            "client",
            f"await client.aio.{name}.{{name}}(...)",
        ).items()
    },
    **calls("google.genai.files.Files", "*", "client", "await client.aio.files.method(...)"),
    **calls("huggingface_hub.InferenceClient", "*", "client", "await the same call on AsyncInferenceClient"),
    **calls("huggingface_hub.HfApi", "*", "client", "await asyncio.to_thread(api.method, ...)"),
    **calls(
        "huggingface_hub",
        "hf_hub_download snapshot_download list_models model_info upload_file upload_folder",
        "client",
        "await asyncio.to_thread(huggingface_hub.{name}, ...)",
    ),
    **calls(
        "litellm",
        "completion text_completion embedding image_generation transcription speech moderation responses rerank",
        "client",
        "await litellm.a{name}(...)",
    ),
    **calls(
        "langchain_core.language_models.BaseLanguageModel",
        "invoke batch",
        "client",
        "await model.a{name}(...)",
    ),
    **calls("langchain_core.language_models.BaseChatModel", "generate", "client", "await model.agenerate(...)"),
    **calls("langchain_core.language_models.BaseLLM", "generate", "client", "await model.agenerate(...)"),
    **calls(
        "langchain_core.language_models.BaseLanguageModel", "stream", "client", "async for over model.astream(...)"
    ),
    **calls("langchain_core.embeddings.Embeddings", _EMBED, "client", "await embeddings.a{name}(...)"),
    **calls("langchain_core.retrievers.BaseRetriever", "invoke batch", "client", "await retriever.a{name}(...)"),
    **calls(
        "langchain_core.vectorstores.VectorStore",
        "add_documents add_texts delete get_by_ids search similarity_search similarity_search_by_vector"
        " similarity_search_with_score similarity_search_with_relevance_scores max_marginal_relevance_search"
        " from_documents from_texts",
        "client",
        "await store.a{name}(...)",
    ),
    **calls("chromadb", "HttpClient CloudClient", "client", "await chromadb.AsyncHttpClient(...)"),
    **calls("chromadb", "PersistentClient", "client", "await asyncio.to_thread(chromadb.PersistentClient, ...)"),
    **calls(
        "chromadb.api.ClientAPI",
        "heartbeat list_collections create_collection get_collection get_or_create_collection delete_collection"
        " count_collections reset get_version",
        "client",
        "await client.{name}(...) on a chromadb.AsyncHttpClient",
    ),
    **calls(
        "chromadb.Collection",
        _CHROMA_COLLECTION,
        "client",
        "await collection.{name}(...) of a chromadb.AsyncHttpClient",
    ),
    **calls("qdrant_client.QdrantClient", "*", "client", "await the same call on qdrant_client.AsyncQdrantClient"),
    **calls("pymilvus.MilvusClient", "*", "client", "await the same call on pymilvus.AsyncMilvusClient"),
}

NOT_BLOCKING: frozenset[str] = frozenset(
    # Checks the signature of a webhook it was given.
    {"openai._resource.SyncAPIResource.unwrap"}
    | {"qdrant_client.QdrantClient.close", "ollama.Client.close", "pymilvus.MilvusClient.close"}
    | {"pymilvus.MilvusClient.create_schema", "pymilvus.MilvusClient.prepare_index_params"}
    | {"huggingface_hub.InferenceClient.close"}
)

LAZY: frozenset[str] = frozenset({"langchain_core.language_models.BaseLanguageModel.stream"})
