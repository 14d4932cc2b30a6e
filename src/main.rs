fn main() {
    #[cfg(feature = "server")]
    std::process::exit(beck::server::main());
    #[cfg(not(feature = "server"))]
    beck::ui::launch();
}
