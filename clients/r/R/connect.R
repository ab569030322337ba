# A connection to a query service of pets, and the requests that it sends.

PETS_PROTOCOL <- "1"

#' Connect to a query service of pets.
#'
#' @param url where the service is, such as "https://host/pets".
#' @param token who asks; left out, the variable PETS_TOKEN of the environment.
#' @param key the ledger's public key as its custodian gave it: 64 hex digits, or the path of its file. Left out, the
#'   key that the service names is taken and shown: it then protects from everybody but the service itself.
#' @param dataset which of the service's; left out, its only one.
#' @return a connection, for pets_quote and pets_query.
pets_connect <- function(url, token = Sys.getenv("PETS_TOKEN"), key = NULL, dataset = NULL) {
  if (!grepl("^https?://[^/@]+", url)) stop("a service is at an address such as 'https://host/pets'", call. = FALSE)
  if (grepl("^http://", url) && !grepl("^http://(localhost|127\\.0\\.0\\.1)(:|/|$)", url)) {
    stop("a token sent by http could be read on its way; write https://", call. = FALSE)
  }
  made <- structure(list(url = sub("/+$", "", url), token = token), class = "pets_connection")
  told <- pets_read(pets_ask(made, "GET", "datasets"))
  names <- vapply(told$datasets, function(one) one$dataset, "")
  if (is.null(dataset) && length(names) == 1L) dataset <- names
  if (is.null(dataset) || !(dataset %in% names)) {
    stop(paste0("say which dataset, with dataset=; there are: ", paste(names, collapse = ", ")), call. = FALSE)
  }
  found <- pets_key(pets_read(pets_ask(made, "GET", "key"))$key)
  if (is.null(key)) {
    message("pets: the ledger signs with key ", found, "; where its custodian confirms that, pin it with key=")
  } else if (!identical(pets_key(key), found)) {
    stop("the service's ledger signs with another key than was pinned; ask the custodian which is right", call. = FALSE)
  }
  made$dataset <- dataset
  made$key <- found
  made$who <- list(project = told$project, analyst = told$analyst)
  made
}

print.pets_connection <- function(x, ...) {
  cat(sprintf("<pets connection to %s: dataset %s>\n", x$url, x$dataset))
  invisible(x)
}

# The text of a reply; an error of the service is raised in its own words, with the class pets_<code>.
pets_ask <- function(connection, method, ..., body = NULL, key = NULL, wait = NULL) {
  path <- vapply(list(...), function(part) utils::URLencode(part, reserved = TRUE), "")
  request <- httr2::request(paste(c(connection$url, path), collapse = "/"))
  request <- httr2::req_method(request, method)
  request <- httr2::req_headers(request, Authorization = paste("Bearer", connection$token), Accept = "application/json")
  if (!is.null(key)) request <- httr2::req_headers(request, `Idempotency-Key` = key)
  if (!is.null(wait)) request <- httr2::req_url_query(request, wait = wait)
  if (!is.null(body)) request <- httr2::req_body_raw(request, charToRaw(enc2utf8(body)), type = "application/json")
  request <- httr2::req_error(request, is_error = function(reply) FALSE)
  # what this machine asks itself by http goes to no proxy that the environment names: it would read the token
  if (grepl("^http://", connection$url)) request <- httr2::req_options(request, noproxy = "*")
  # sent again as it is: what charges has a key of its own, and is charged once
  request <- httr2::req_retry(request, max_tries = 4, is_transient = function(reply) {
    httr2::resp_status(reply) %in% c(429, 502, 503, 504)
  })
  unreachable <- function(e) {
    said <- paste0("the service at ", connection$url, " cannot be reached; check the address and the network, and ask again")
    pets_stop(list(code = "service-down", detail = said))
  }
  # (the class of one that failed has had two names)
  reply <- tryCatch(httr2::req_perform(request), httr2_failed = unreachable, httr2_failure = unreachable)
  spoken <- httr2::resp_header(reply, "Pets-Protocol")
  if (is.null(spoken)) stop("what answers at ", connection$url, " is no service of pets; check the address", call. = FALSE)
  if (!identical(spoken, PETS_PROTOCOL)) {
    newer <- grepl("^[0-9]{1,9}$", spoken) && as.numeric(spoken) > as.numeric(PETS_PROTOCOL)
    stop(
      "the service speaks protocol ", gsub("[^[:print:]]", "?", spoken), " and this client ", PETS_PROTOCOL,
      "; install a newer pets where ", if (newer) "this client" else "the service", " is", call. = FALSE
    )
  }
  text <- httr2::resp_body_string(reply, encoding = "UTF-8")
  if (httr2::resp_status(reply) >= 400) {
    problem <- pets_read(text)
    if (identical(problem$code, "unauthenticated") && !nzchar(connection$token)) {
      problem$detail <- paste0(problem$detail, "; here it goes in the variable PETS_TOKEN, or in token=")
    }
    pets_stop(problem)
  }
  text
}

# Raise a problem of the service: what it says, and its code as a class.
pets_stop <- function(problem) {
  said <- if (is.null(problem$detail)) problem$message else problem$detail
  said <- gsub("[^[:print:]\n]", "?", said) # it cannot steer the terminal
  kind <- c(paste0("pets_", problem$code), "pets_error", "error", "condition")
  stop(structure(class = kind, list(message = said, call = NULL)))
}
