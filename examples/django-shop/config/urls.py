"""Where the shop's pages are."""

from django.urls import path
from shop import views

urlpatterns = [
    path("products", views.products),
    path("cart", views.cart),
    path("orders", views.orders),
    path("orders/<int:order_id>", views.order),
]
