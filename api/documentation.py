"""The page at /docs: Swagger, with everything it needs from this server."""

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

from api.content_policy import inline_scripts, policy

PATH = "/docs"
ASSETS = "/api/docs-assets"


def install(api: FastAPI) -> None:
    """Let the page be found; its assets are there already."""

    @api.get(PATH, include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{api.openapi_url}",
            title=f"{api.title} API",
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
        )
        page.headers["Content-Security-Policy"] = policy(
            script_src=f"'self' {inline_scripts(bytes(page.body).decode())}",
            style_src="'self' 'unsafe-inline'",  # written into elements by Swagger's script
            img_src="'self' data:",
            connect_src="'self'",
        )
        return page
