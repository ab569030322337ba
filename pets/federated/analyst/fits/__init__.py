"""What regressions and survival curves over one release or many steps are made with."""
