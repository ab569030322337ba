# Members of JSON as they stand in its text. What is signed is text: a number that R had read and written again could
# be another one (above 2^53 it would be), so parts are cut out of the text and only then read.

# Where each part of a JSON object's or array's text begins and ends.
pets_parts <- function(text) {
  bytes <- as.integer(charToRaw(text))
  size <- length(bytes)
  if (size < 2L || !(bytes[1] %in% c(123L, 91L))) stop("this is no JSON object or list", call. = FALSE)
  slashed <- logical(size) # escaped by a backslash that is itself not escaped
  for (at in which(bytes == 92L)) if (!slashed[at] && at < size) slashed[at + 1L] <- TRUE
  quotes <- bytes == 34L & !slashed
  inside <- cumsum(quotes) %% 2L == 1L | quotes
  depth <- cumsum((bytes %in% c(123L, 91L)) & !inside) - cumsum((bytes %in% c(125L, 93L)) & !inside)
  if (depth[size] != 0L || size > 2L && any(depth[-size] < 1L)) stop("this is no one JSON value", call. = FALSE)
  if (size == 2L) return(list(bytes = bytes, from = integer(), to = integer(), colons = integer()))
  commas <- which(bytes == 44L & !inside & depth == 1L)
  colons <- which(bytes == 58L & !inside & depth == 1L)
  list(bytes = bytes, from = c(2L, commas + 1L), to = c(commas - 1L, size - 1L), colons = colons)
}

pets_text <- function(bytes) {
  text <- rawToChar(as.raw(bytes))
  Encoding(text) <- "UTF-8"
  text
}

# The members of an object: their texts, by name.
pets_members <- function(text) {
  parts <- pets_parts(text)
  if (parts$bytes[1] != 123L || length(parts$colons) != length(parts$from)) stop("this is no JSON object", call. = FALSE)
  cut <- function(from, to) pets_text(parts$bytes[seq_len(to - from + 1L) + from - 1L])
  values <- mapply(cut, parts$colons + 1L, parts$to, SIMPLIFY = FALSE)
  names(values) <- vapply(seq_along(parts$from), function(i) {
    jsonlite::fromJSON(paste0("[", cut(parts$from[i], parts$colons[i] - 1L), "]"))[[1]]
  }, "")
  if (anyDuplicated(names(values))) stop("a JSON object has a name twice", call. = FALSE)
  values
}

# The items of a list: their texts.
pets_items <- function(text) {
  parts <- pets_parts(text)
  if (parts$bytes[1] != 91L) stop("this is no JSON list", call. = FALSE)
  Map(function(from, to) pets_text(parts$bytes[from:to]), parts$from, parts$to)
}

# An object without some of its members, its text otherwise as it was.
pets_without <- function(text, names) {
  members <- pets_members(text)
  members <- members[!(names(members) %in% names)]
  named <- vapply(names(members), function(name) as.character(jsonlite::toJSON(name, auto_unbox = TRUE)), "")
  paste0("{", paste0(named, ":", unlist(members), collapse = ","), "}")
}

# What a text of JSON stands for, every list as a list.
pets_read <- function(text) jsonlite::fromJSON(text, simplifyVector = FALSE)

# A number as pets writes it: whole ones as they are, others as decimal text.
pets_number <- function(value) {
  if (!is.numeric(value) || length(value) != 1L || !is.finite(value)) stop("give one number", call. = FALSE)
  text <- format(value, digits = 15, scientific = FALSE, trim = TRUE, drop0trailing = TRUE)
  if (value == round(value)) text else paste0("\"", text, "\"")
}
