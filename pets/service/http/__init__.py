"""HTTP: the service's endpoints, as an application to mount, a router to include, or a server of its own."""
