"""Lists as something to iterate over: page after page is asked for as it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from google.protobuf.message import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from pointbridge._method import AsyncCaller, Caller, Method

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Item = TypeVar("Item")


class _Asks(Protocol):
    page_token: str


class _Answers(Protocol):
    next_page_token: str


class _Walk(Generic[Request, Response, Item]):
    """What both kinds of iteration share: where to go on, and the items of a page."""

    def __init__(self, method: Method[Response], request: Request, items: str, timeout: float | None) -> None:
        self._method = method
        self._request = request
        self._items = items
        self._timeout = timeout

    def _first(self) -> Request:
        """The request of the first page, which may be changed: each iteration begins with its own."""
        request = type(self._request)()
        request.CopyFrom(self._request)
        return request

    def _go_on(self, request: Request, page: Response) -> bool:
        """Turns a request into that of the next page; false behind the last one."""
        token = cast("_Answers", page).next_page_token
        if token and token == cast("_Asks", request).page_token:
            raise RuntimeError(f"{self._method.name} answered the same page_token twice: the list would never end")
        cast("_Asks", request).page_token = token
        return bool(token)

    def _of(self, page: Response) -> Iterable[Item]:
        return cast("Iterable[Item]", getattr(page, self._items))


class Pages(_Walk[Request, Response, Item]):
    """A list of the hub, to iterate over. Each iteration asks anew; `timeout` is that of one page."""

    def __init__(
        self, caller: Caller, method: Method[Response], request: Request, items: str, timeout: float | None
    ) -> None:
        super().__init__(method, request, items, timeout)
        self._caller = caller

    def __iter__(self) -> Iterator[Item]:
        """The items, in the hub's order.

        Raises:
            PointbridgeError: A page was refused, or the hub could not be reached; what came before it has been given.
        """
        for page in self.pages():
            yield from self._of(page)

    def pages(self) -> Iterator[Response]:
        """The answers as they are: to show a page at a time, or to keep `next_page_token` for later."""
        request = self._first()
        while True:
            page = self._caller.call(self._method, request, self._timeout)
            yield page
            if not self._go_on(request, page):
                return


class AsyncPages(_Walk[Request, Response, Item]):
    """A list of the hub, for `async for`. Each iteration asks anew; `timeout` is that of one page."""

    def __init__(
        self, caller: AsyncCaller, method: Method[Response], request: Request, items: str, timeout: float | None
    ) -> None:
        super().__init__(method, request, items, timeout)
        self._caller = caller

    async def __aiter__(self) -> AsyncIterator[Item]:
        """The items, in the hub's order.

        Raises:
            PointbridgeError: A page was refused, or the hub could not be reached; what came before it has been given.
        """
        async for page in self.pages():
            for item in self._of(page):
                yield item

    async def pages(self) -> AsyncIterator[Response]:
        """The answers as they are: to show a page at a time, or to keep `next_page_token` for later."""
        request = self._first()
        while True:
            page = await self._caller.call(self._method, request, self._timeout)
            yield page
            if not self._go_on(request, page):
                return
