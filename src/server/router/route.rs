//! One address of the server and what may be sent to it.

use crate::server::node::Node;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, any, get, post};
use std::sync::Arc;

/// How an address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Any,
    Get,
    Post,
}

/// One address, how it is asked, and the handler that answers.
pub struct Route {
    pub path: &'static str,
    pub method: Method,
    /// Whether a page has the same address: it answers GET.
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

    /// Takes a form, by POST.
    pub(super) fn form<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Node>>) -> Route {
        Route { path, method: Method::Post, is_page: false, handler: post(handler) }
    }

    /// The page that the form stands on has the same address.
    pub(super) fn of_page(self) -> Route {
        Route { is_page: true, ..self }
    }

    /// Adds the address to a router; `pages` answers where it is a page's too.
    pub(super) fn add_to(self, router: Router<Arc<Node>>, pages: &Router) -> Router<Arc<Node>> {
        let handler = if self.is_page { self.handler.get_service(pages.clone()) } else { self.handler };
        router.route(self.path, handler)
    }
}
