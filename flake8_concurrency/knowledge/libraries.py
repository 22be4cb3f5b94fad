"""Every third-party library the linter knows, in one set of tables; the modules merged here are named by subject."""

from __future__ import annotations

from flake8_concurrency.knowledge import (
    async_libraries,
    cloud_services,
    data_libraries,
    data_stores,
    database_drivers,
    django,
    http_clients,
    langchain_models,
    model_clients,
    mongodb,
    object_mappers,
    programs_and_models,
    redis_clients,
    service_clients,
    sqlalchemy,
    thread_callbacks,
    web_services,
)
from flake8_concurrency.knowledge.notation import FromArgument
from flake8_concurrency.knowledge.schema import ClassFact

CLASSES: dict[str, ClassFact] = {
    **async_libraries.CLASSES,
    **cloud_services.CLASSES,
    **data_libraries.CLASSES,
    **data_stores.CLASSES,
    **database_drivers.CLASSES,
    **django.CLASSES,
    **http_clients.CLASSES,
    **langchain_models.CLASSES,
    **model_clients.CLASSES,
    **mongodb.CLASSES,
    **object_mappers.CLASSES,
    **programs_and_models.CLASSES,
    **redis_clients.CLASSES,
    **service_clients.CLASSES,
    **sqlalchemy.CLASSES,
    **web_services.CLASSES,
    **thread_callbacks.CLASSES,
}
FUNCTIONS: dict[str, str] = {
    **async_libraries.FUNCTIONS,
    **cloud_services.FUNCTIONS,
    **data_libraries.FUNCTIONS,
    **data_stores.FUNCTIONS,
    **database_drivers.FUNCTIONS,
    **django.FUNCTIONS,
    **http_clients.FUNCTIONS,
    **langchain_models.FUNCTIONS,
    **model_clients.FUNCTIONS,
    **object_mappers.FUNCTIONS,
    **programs_and_models.FUNCTIONS,
    **redis_clients.FUNCTIONS,
    **service_clients.FUNCTIONS,
    **sqlalchemy.FUNCTIONS,
    **web_services.FUNCTIONS,
}
CONSTANTS: dict[str, str] = {
    **django.CONSTANTS,
    **http_clients.CONSTANTS,
    **model_clients.CONSTANTS,
    **object_mappers.CONSTANTS,
    **sqlalchemy.CONSTANTS,
}
ALIASES: dict[str, str] = {
    **async_libraries.ALIASES,
    **cloud_services.ALIASES,
    **data_libraries.ALIASES,
    **data_stores.ALIASES,
    **database_drivers.ALIASES,
    **django.ALIASES,
    **http_clients.ALIASES,
    **langchain_models.ALIASES,
    **model_clients.ALIASES,
    **mongodb.ALIASES,
    **object_mappers.ALIASES,
    **programs_and_models.ALIASES,
    **redis_clients.ALIASES,
    **service_clients.ALIASES,
    **sqlalchemy.ALIASES,
    **web_services.ALIASES,
    **thread_callbacks.ALIASES,
}
FROM_ARGUMENT: dict[str, FromArgument] = {
    **django.FROM_ARGUMENT,
    **http_clients.FROM_ARGUMENT,
    **model_clients.FROM_ARGUMENT,
    **sqlalchemy.FROM_ARGUMENT,
}

#: The stubs of boto3 have a package for each service: `mypy_boto3_s3.S3Client`, `types_boto3_s3.client.S3Client`.
_BOTO3_STUBS = ("mypy_boto3_", "types_boto3_")


def public_name(name: str) -> str:
    """The documented name of a third-party class or function, whatever module it was imported from."""
    if name.startswith(_BOTO3_STUBS):
        return _boto3_name(name)
    return ALIASES.get(name, name)


def _boto3_name(name: str) -> str:
    if name.endswith("Client"):
        return "botocore.client.BaseClient"
    if ".service_resource." in name or name.endswith("ServiceResource"):
        return "boto3.resources.base.ServiceResource"
    return name
