//! An address of the server and its handler.

use crate::server::node::Node;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, any, get, post};
use std::sync::Arc;

/// The methods that an address accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Any,
    Get,
    Post,
}

/// An address and its handler.
pub struct Route {
    pub path: &'static str,
    pub method: Method,
    /// Whether a page at the same address answers GET.
    pub is_page: bool,
    handler: MethodRouter<Arc<Node>>,
}

impl Route {
    pub(super) fn any<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Node>>) -> Route {
        Route { path, method: Method::Any, is_page: false, handler: any(handler) }
    }

    pub(super) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Node>>) -> Route {
        Route { path, method: Method::Get, is_page: false, handler: get(handler) }
    }

    /// Accepts a form by POST.
    pub(super) fn form<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Node>>) -> Route {
        Route { path, method: Method::Post, is_page: false, handler: post(handler) }
    }

    /// A page at the same address answers GET.
    pub(super) fn of_page(self) -> Route {
        Route { is_page: true, ..self }
    }

    /// Adds the address to a router; `pages` answers GET if it is also a page's address.
    pub(super) fn add_to(self, router: Router<Arc<Node>>, pages: &Router) -> Router<Arc<Node>> {
        let handler = if self.is_page { self.handler.get_service(pages.clone()) } else { self.handler };
        router.route(self.path, handler)
    }
}
