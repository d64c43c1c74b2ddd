"""
Views of every shape. The number at the end of a line is how often one request runs it; a line without one never runs.

``SHAPES`` says which functions must be timed, and no others.
"""

from __future__ import annotations

import asyncio
import functools
from typing import ClassVar

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.template import Library
from django.template.backends.django import DjangoTemplates
from django.template.response import TemplateResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import DetailView, ListView, TemplateView, View
from ninja import NinjaAPI
from rest_framework.decorators import action, api_view
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer, SerializerMethodField
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from tests.site.models import Publisher

TEMPLATE = "{% load lines_tags %}{% for each in rows %}{{ each.shout|twice }}{% endfor %}{% hello 'you' %}"


def template():
    options = {"libraries": {"lines_tags": "tests.lines.shapes"}}
    engine = DjangoTemplates({"NAME": "lines", "DIRS": [], "APP_DIRS": False, "OPTIONS": options})
    return engine.from_string(TEMPLATE)


def function(request):
    total = 0  # 1
    for number in range(3):  # 4
        total += number  # 3
    if total > 100:  # 1
        return HttpResponse("never")
    return HttpResponse(str(total))  # 1


@csrf_exempt
@never_cache
@login_not_required
def stacked(request):
    return HttpResponse("stacked")  # 1


def polite(view):
    @functools.wraps(view)
    def wrapper(request):
        count = 1  # 1
        return view(request) if count else None  # 1

    return wrapper


@polite
def wrapped(request):
    return HttpResponse("wrapped")  # 1


def rude(view):
    def replacement(request, *args):
        return view(request)  # 1

    return replacement


@rude
def hidden(request):
    text = "hidden"  # 1
    return HttpResponse(text)  # 1


class Counting:
    def __init__(self, view):
        self.view = view
        self.count = 0

    def __call__(self, request):
        self.count += 1  # 1
        return self.view(request)  # 1


@Counting
def counted(request):
    return HttpResponse("counted")  # 1


def greeting(request, word):
    return HttpResponse(word)  # 1


class Callable:
    def __call__(self, request):
        return HttpResponse("callable")  # 1


short = lambda request: HttpResponse("lambda")  # noqa: E731 # 1


def fibonacci(request):
    return HttpResponse(str(number(6)))  # 1


def number(n):
    if n < 2:
        return n
    return number(n - 1) + number(n - 2)


def recursive(request, depth=4):
    if depth:  # 5
        return recursive(request, depth - 1)  # 4
    return HttpResponse("recursive")  # 1


def failing(request):
    try:  # noqa: SIM105 # 1
        {}["planned"]  # 1
    except KeyError:  # 1
        pass  # 1
    raise Http404("not here")  # 1


def squares(request):
    def generate(count):  # 1
        for each in range(count):
            yield each * each

    values = list(generate(3))  # 1
    comprehended = [value for value in values]  # noqa: C416 # 1
    return HttpResponse(str(sum(value for value in comprehended)))  # 1


class WithTitle:
    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)  # 1
        return context | {"title": self.title, "other": self.other()}  # 1

    @cached_property
    def title(self):
        return self.make("title")  # 1

    @classmethod
    def make(cls, text):
        return text.upper()  # 1

    @staticmethod
    def other():
        return "other"  # 1


class Page(WithTitle, TemplateView):
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)  # 1

    def post(self, request):
        return HttpResponse("never")

    def render_to_response(self, context, **kwargs):
        return HttpResponse(context["title"])  # 1


class Base(ListView):
    model = Publisher

    def get_queryset(self):
        found = super().get_queryset()  # 1
        return found.order_by("name")  # 1


class Listing(Base):
    def render_to_response(self, context, **kwargs):
        return HttpResponse(str(len(context["object_list"])))  # 1


@method_decorator(never_cache, name="dispatch")
class Decorated(View):
    @method_decorator(csrf_exempt)
    def dispatch(self, *args, **kwargs):
        return super().dispatch(*args, **kwargs)  # 1

    @method_decorator(never_cache)
    def get(self, request):
        return HttpResponse("decorated")  # 1


class Plain(View):
    def get(self, request):
        return HttpResponse("plain")  # 1


class Detail(DetailView):
    model = Publisher

    def get_object(self, queryset=None):
        return Publisher(name="made up")  # 1

    def render_to_response(self, context, **kwargs):
        return HttpResponse(context["object"].name)  # 1


async def coroutine(request):
    for _ in range(2):  # 3
        await asyncio.sleep(0)  # 2
    return HttpResponse("coroutine")  # 1


async def chain(request):
    numbers = [each async for each in count(3)]  # 1
    return HttpResponse(str(await add(numbers)))  # 1


async def count(to):
    for each in range(to):
        await asyncio.sleep(0)
        yield each


async def add(numbers):
    await asyncio.sleep(0)
    return sum(numbers)


class AsyncPage(View):
    async def get(self, request):
        await asyncio.sleep(0)  # 1
        return HttpResponse(self.text())  # 1

    def text(self):
        return "async"  # 1


class Endpoint(APIView):
    def get(self, request):
        return Response({"rows": self.rows()})  # 1

    def rows(self):
        return [1, 2]  # 1

    def delete(self, request):
        return Response(None)


@api_view(["GET"])
def endpoint(request):
    data = {"a": 1}  # 1
    return Response(data)  # 1


class PublisherSerializer(ModelSerializer):
    letter = SerializerMethodField()

    class Meta:
        model = Publisher
        fields: ClassVar = ["name", "letter"]

    def get_letter(self, publisher):
        return publisher.name[:1]  # 2


class PublisherViewSet(ModelViewSet):
    serializer_class = PublisherSerializer

    def get_queryset(self):
        return Publisher.objects.order_by("pk")  # 1

    def list(self, request, *args, **kwargs):
        return super().list(request, *args, **kwargs)  # 1

    def retrieve(self, request, *args, **kwargs):
        return super().retrieve(request, *args, **kwargs)

    @action(detail=False)
    def latest(self, request):
        return Response(None)


router = SimpleRouter()
router.register("publishers", PublisherViewSet, basename="publisher")

api = NinjaAPI(urls_namespace="ninja")


@api.get("/rows")
def rows(request, limit: int = 3):
    found = list(range(limit))  # 1
    return {"rows": found}  # 1


@api.post("/rows")
def add_row(request):
    return {}


@api.get("/later")
async def later(request):
    await asyncio.sleep(0)  # 1
    return {"later": True}  # 1


class PublisherAdmin(admin.ModelAdmin):
    list_display: ClassVar = ["name", "initial"]

    def initial(self, publisher):
        return publisher.name[:1]  # 2

    def get_queryset(self, request):
        return super().get_queryset(request).order_by("pk")  # 1

    def has_add_permission(self, request):
        return False  # 2


class Row:
    @property
    def shout(self):
        return "row!"  # 3


register = Library()


@register.filter
def twice(text):
    return text * 2  # 3


@register.simple_tag
def hello(name):
    return f"hello {name}"  # 1


def in_template(request):
    return TemplateResponse(request, template(), {"rows": [Row(), Row(), Row()]})  # 1


async def napping(request):
    await asyncio.sleep(0.03)  # 1
    return HttpResponse("napped")  # 1


def two_queries(request):
    total = 0  # 1
    for _ in (Publisher.objects.count(), Publisher.objects.exists()):  # 3
        total += Publisher.objects.count() if not total else 1  # 2
    return HttpResponse(str(total))  # 1


async def awaited_query(request):
    total = 0  # 1
    total += await Publisher.objects.acount()  # 1
    return HttpResponse(str(total))  # 1


def body():
    for each in range(3):
        yield f"{each}"


def streaming(request):
    return StreamingHttpResponse(body())  # 1


site = admin.AdminSite(name="lines")
site.register(Publisher, PublisherAdmin)

SHAPES = {
    "function/": ["function"],
    "stacked/": ["stacked"],
    "wrapped/": ["polite.wrapper", "wrapped"],
    "hidden/": ["rude.replacement", "hidden"],
    "counted/": ["Counting.__call__", "counted"],
    "partial/": ["greeting"],
    "callable/": ["Callable.__call__"],
    "lambda/": ["<lambda>"],
    "recursive/": ["recursive"],
    "failing/": ["failing"],
    "squares/": ["squares"],
    "page/": [
        "Page.get",
        "Page.render_to_response",
        "WithTitle.get_context_data",
        "WithTitle.make",
        "WithTitle.other",
        "WithTitle.title",
    ],
    "listing/": ["Base.get_queryset", "Listing.render_to_response"],
    "decorated/": ["Decorated.dispatch", "Decorated.get"],
    "required/": ["Plain.get"],
    "detail/": ["Detail.get_object", "Detail.render_to_response"],
    "coroutine/": ["coroutine"],
    "chain/": ["chain"],
    "async-page/": ["AsyncPage.get", "AsyncPage.text"],
    "endpoint/": ["Endpoint.get", "Endpoint.rows"],
    "api-view/": ["endpoint"],
    "publishers/": ["PublisherSerializer.get_letter", "PublisherViewSet.get_queryset", "PublisherViewSet.list"],
    "ninja/rows": ["rows"],
    "ninja/later": ["later"],
    "admin/library/publisher/": [
        "Publisher.__str__",
        "PublisherAdmin.get_queryset",
        "PublisherAdmin.has_add_permission",
        "PublisherAdmin.initial",
    ],
    "in-template/": ["Row.shout", "hello", "in_template", "twice"],
    "streaming/": ["streaming"],
}
ASYNC = {"coroutine/", "chain/", "async-page/", "ninja/later"}
# One calls itself, and a method of DRF's, filter_queryset, begins with a loop: line_profiler would be wrong.
LEFT_TO_US = {"publishers/", "recursive/"}

urlpatterns = [
    path("__debug__/", include("debug_toolbar.urls")),
    path("function/", function),
    path("stacked/", stacked),
    path("wrapped/", wrapped),
    path("hidden/", hidden),
    path("counted/", counted),
    path("partial/", functools.partial(greeting, word="partial")),
    path("callable/", Callable()),
    path("lambda/", short),
    path("fibonacci/", fibonacci),
    path("napping/", napping),
    path("two-queries/", two_queries),
    path("awaited-query/", awaited_query),
    path("recursive/", recursive),
    path("failing/", failing),
    path("squares/", squares),
    path("page/", Page.as_view(template_name="none.html")),
    path("listing/", Listing.as_view()),
    path("decorated/", Decorated.as_view()),
    path("required/", login_not_required(never_cache(Plain.as_view()))),
    path("detail/", Detail.as_view()),
    path("coroutine/", coroutine),
    path("chain/", chain),
    path("async-page/", AsyncPage.as_view()),
    path("endpoint/", Endpoint.as_view()),
    path("api-view/", endpoint),
    path("", include(router.urls)),
    path("ninja/", api.urls),
    path("admin/", site.urls),
    path("in-template/", in_template),
    path("streaming/", streaming),
]
