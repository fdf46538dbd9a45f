"""The shop's pages, as JSON."""

import json

from django.http import HttpResponseBadRequest, JsonResponse
from django.shortcuts import get_object_or_404

from .models import Order, OutOfStock, Product


def products(request):
    if request.method == "POST":
        product = Product.objects.create(**json.loads(request.body))
        return JsonResponse(product.as_json(), status=201)
    return JsonResponse([product.as_json() for product in Product.objects.order_by("name")], safe=False)


def cart(request):
    wanted = json.loads(request.body)
    product = get_object_or_404(Product, id=wanted["product"])
    cart = request.session.get("cart", {})
    cart[str(product.id)] = cart.get(str(product.id), 0) + wanted.get("quantity", 1)
    request.session["cart"] = cart
    return JsonResponse(cart)


def orders(request):
    cart = request.session.get("cart")
    if not cart:
        return HttpResponseBadRequest("the cart is empty")
    try:
        order = Order.place(json.loads(request.body)["customer"], cart)
    except OutOfStock as missing:
        return JsonResponse({"error": f"not enough of {missing}"}, status=409)
    del request.session["cart"]
    return JsonResponse(order.as_json(), status=201)


def order(request, order_id):
    return JsonResponse(get_object_or_404(Order, id=order_id).as_json())
