"""A small shop: an ordinary Flask application with ordinary settings."""

import os

from flask import Flask

from .models import db
from .views import shop


def create_app(database_url=None):
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-the-example"),
        SQLALCHEMY_DATABASE_URI=database_url or os.environ["DATABASE_URL"],
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True, "pool_recycle": 300},
    )
    db.init_app(app)
    app.register_blueprint(shop)
    return app
