"""The shop's own tests; they need a database at DATABASE_URL."""

import threading

import pytest
from shop import create_app, orders
from shop.models import Order, Product, db


@pytest.fixture
def app():
    app = create_app()
    with app.app_context():
        db.drop_all()
        db.create_all()
    yield app
    with app.app_context():
        db.session.remove()
        db.drop_all()
        db.engine.dispose()


@pytest.fixture
def client(app):
    return app.test_client()


def add(client, name, stock, price="9.99"):
    answer = client.post("/products", json={"name": name, "price": price, "stock": stock})
    assert answer.status_code == 201
    return answer.json["id"]


def test_a_new_product_is_listed_by_the_next_request(client):
    for number in range(10):
        add(client, f"product {number}", number)
        assert len(client.get("/products").json) == number + 1


def test_a_product_has_a_page(client):
    tea = add(client, "tea", 10, "4.50")
    assert client.get(f"/products/{tea}").json == {"id": tea, "name": "tea", "price": "4.50", "stock": 10}
    assert client.get(f"/products/{tea + 1}").status_code == 404


def test_an_order_takes_stock_and_is_shown_by_the_next_request(client):
    tea, cup = add(client, "tea", 10, "4.50"), add(client, "cup", 3, "7.00")
    client.post("/cart", json={"product": tea, "quantity": 2})
    client.post("/cart", json={"product": cup})
    placed = client.post("/orders", json={"customer": "Ada"})
    assert placed.status_code == 201 and placed.json["total"] == "16.00"
    assert client.get(f"/orders/{placed.json['id']}").json == placed.json
    assert {p["name"]: p["stock"] for p in client.get("/products").json} == {"tea": 8, "cup": 2}


def test_an_order_that_cannot_be_filled_changes_nothing(client):
    tea, cup = add(client, "tea", 10), add(client, "cup", 1)
    client.post("/cart", json={"product": tea, "quantity": 2})
    client.post("/cart", json={"product": cup, "quantity": 2})
    assert client.post("/orders", json={"customer": "Ada"}).status_code == 409
    assert {p["name"]: p["stock"] for p in client.get("/products").json} == {"tea": 10, "cup": 1}


def test_two_customers_never_get_the_last_one(app, client):
    last = add(client, "last one", 5)
    outcomes = []

    def buy():
        with app.app_context():
            try:
                orders.place("somebody", {str(last): 1})
                outcomes.append("bought")
            except orders.OutOfStock:
                outcomes.append("sold out")

    buyers = [threading.Thread(target=buy) for _ in range(12)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join()
    assert sorted(outcomes) == ["bought"] * 5 + ["sold out"] * 7
    with app.app_context():
        assert db.session.get(Product, last).stock == 0
        assert db.session.query(Order).count() == 5
