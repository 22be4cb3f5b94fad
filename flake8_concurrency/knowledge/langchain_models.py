"""LangChain's models by their providers, and the chains made of them with `|`.

Checked against langchain-core 1.7, langchain-openai, -anthropic, -google-genai, -ollama, -groq, -mistralai, -aws,
-cohere, -fireworks and -community: `a | b` and `a.pipe(b)` make a RunnableSequence, whose `invoke` calls each part in
turn, and the providers' classes derive from BaseChatModel. Those of the other providers were not looked at.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_CHAT = "langchain_core.language_models.BaseChatModel"
_CHAIN = "langchain_core.runnables.RunnableSequence"
_PROVIDERS = {
    "langchain_google_genai": "ChatGoogleGenerativeAI",
    "langchain_google_vertexai": "ChatVertexAI",
    "langchain_ollama": "ChatOllama",
    "langchain_groq": "ChatGroq",
    "langchain_mistralai": "ChatMistralAI",
    "langchain_aws": "ChatBedrock ChatBedrockConverse",
    "langchain_cohere": "ChatCohere",
    "langchain_deepseek": "ChatDeepSeek",
    "langchain_fireworks": "ChatFireworks",
    "langchain_together": "ChatTogether",
    "langchain_xai": "ChatXAI",
    "langchain_nvidia_ai_endpoints": "ChatNVIDIA",
    "langchain_huggingface": "ChatHuggingFace",
    "langchain_community.chat_models": "ChatOpenAI AzureChatOpenAI ChatOllama ChatAnthropic",
}

#: What a model gives that is called like it, and what it becomes in a chain.
MODEL_MEMBERS: dict[str, str] = {
    **members("bind bind_tools with_structured_output with_config with_retry with_fallbacks", "() -> Self"),
    **members("__or__ __ror__ pipe", f"() -> {_CHAIN}"),
}

CLASSES: dict[str, ClassFact] = {
    **{f"{package}.{name}": ClassFact((_CHAT,)) for package, names in _PROVIDERS.items() for name in names.split()},
    _CHAIN: ClassFact(
        members=members("__or__ __ror__ pipe bind with_config with_retry with_fallbacks", "() -> Self"),
    ),
}

FUNCTIONS: dict[str, str] = {
    "langchain.chat_models.init_chat_model": f"() -> {_CHAT}",
    "langchain.chat_models.base.init_chat_model": f"() -> {_CHAT}",
}

ALIASES: dict[str, str] = {
    "langchain_core.runnables.base.RunnableSequence": _CHAIN,
    "langchain_google_genai.chat_models.ChatGoogleGenerativeAI": "langchain_google_genai.ChatGoogleGenerativeAI",
    "langchain_ollama.chat_models.ChatOllama": "langchain_ollama.ChatOllama",
    "langchain_groq.chat_models.ChatGroq": "langchain_groq.ChatGroq",
    "langchain.chat_models.ChatOpenAI": "langchain_openai.ChatOpenAI",
}

BLOCKING: dict[str, Blocking] = calls(_CHAIN, "invoke batch", "client", "await chain.a{name}(...)")
