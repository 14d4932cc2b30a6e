/// Gives memory back to the system. The system's own allocator keeps the 19 MiB of each password that was hashed.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    #[cfg(feature = "server")]
    std::process::exit(beck::server::main());
    #[cfg(not(feature = "server"))]
    beck::ui::launch();
}
