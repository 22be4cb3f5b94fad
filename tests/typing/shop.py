"""What the examples of the README import: an application's own models and functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flake8_concurrency.runtime.celery import CeleryApp

Page: TypeAlias = bytes
Position: TypeAlias = tuple[float, float]


@dataclass
class Order:
    number: int


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    lease_token: Mapped[UUID | None]
    lease_expires_at: Mapped[datetime | None]
    attempts: Mapped[int]
    done_at: Mapped[datetime | None]


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]
    seen_at: Mapped[datetime | None]


app: CeleryApp
run: Any


def price(order: Order) -> float:
    return float(order.number)


def send(job: Job) -> None: ...
def refresh(number: int) -> None: ...
def fetch(url: str) -> Page:
    return url.encode()


def store_positions(positions: Mapping[Any, Position]) -> None: ...
def serve(*, on_move: Callable[[int, Position], None]) -> None: ...
