# Questions in SQL: their price, and their answers.

pets_protection <- function(epsilon) sprintf("{\"epsilon\":%s,\"kind\":\"dp\"}", pets_number(epsilon))

pets_question <- function(connection, sql) {
  body <- jsonlite::toJSON(list(sql = sql), auto_unbox = TRUE)
  pets_members(pets_ask(connection, "POST", "datasets", connection$dataset, "sql", body = body))$query
}

#' The price and the expected error of a question, before spending.
#'
#' @param connection from pets_connect.
#' @param sql a SELECT, such as "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex".
#' @param epsilon of the answer.
pets_quote <- function(connection, sql, epsilon) {
  body <- sprintf(
    "{\"protection\":%s,\"queries\":[%s]}", pets_protection(epsilon), pets_question(connection, sql)
  )
  told <- pets_read(pets_ask(connection, "POST", "datasets", connection$dataset, "quote", body = body))$quote
  errors <- told$errors[[1]]
  width <- function(one) if (is.null(one$half_width)) NA_real_ else as.numeric(one$half_width)
  structure(list(
    epsilon = as.numeric(told$epsilon), delta = as.numeric(told$delta), fits = told$fits, more = told$more,
    errors = data.frame(
      output = vapply(errors, function(one) one$output, ""), error = vapply(errors, width, 0), stringsAsFactors = FALSE
    ),
    notes = unlist(told$notes)
  ), class = "pets_quote")
}

print.pets_quote <- function(x, ...) {
  room <- if (isTRUE(x$fits)) sprintf("about %s such requests left", format(x$more, big.mark = ",")) else "over budget"
  cat(sprintf("Cost: epsilon = %.4g, delta = %g; %s.\nExpected error:\n", x$epsilon, x$delta, room))
  print(x$errors, row.names = FALSE)
  for (note in x$notes) cat(note, "\n")
  invisible(x)
}

#' The protected answer to a question: a release, whose table holds its values with their intervals.
#'
#' The certificate is verified before a number is shown. This client shows counts (of rows or of people), sums and
#' means, by categories and booleans; of any other answer it keeps the verified text, which `pets` in Python shows
#' (pets.Release.from_json). NA: there may be nobody in that group.
#'
#' @param connection,sql,epsilon as for pets_quote.
#' @param again whether an equal question is to be answered, and charged, anew.
#' @return a list of class pets_release: table (a data frame, or NULL), guarantee, notes, and text, the signed JSON.
pets_query <- function(connection, sql, epsilon, again = FALSE) {
  query <- pets_question(connection, sql)
  protection <- pets_protection(epsilon)
  body <- sprintf(
    "{\"again\":%s,\"kind\":\"release\",\"protection\":%s,\"queries\":[%s]}",
    if (isTRUE(again)) "true" else "false", protection, query
  )
  key <- paste(as.character(openssl::rand_bytes(16)), collapse = "")
  reply <- pets_members(pets_ask(connection, "POST", "datasets", connection$dataset, "queries", body = body, key = key, wait = 20))
  while (is.null(reply$releases)) {
    job <- pets_read(reply$job)
    if (identical(job$state, "held")) {
      pets_stop(list(code = "held", message = paste0(
        "the service has the question (", job$id, "), and nothing of its answer is shown before a second person ",
        "approves it; ask the same again later, which then costs nothing"
      )))
    }
    if (!(job$state %in% c("waiting", "running"))) {
      pets_stop(if (is.null(job$problem)) list(message = paste("the question is", job$state), code = "request") else job$problem)
    }
    reply <- pets_members(pets_ask(connection, "GET", "queries", job$id, wait = 20))
  }
  texts <- pets_items(reply$releases)
  quoted <- function(text) as.character(jsonlite::toJSON(text, auto_unbox = TRUE))
  own <- list(query = query, protection = protection, data = "\"real\"", dataset = quoted(connection$dataset))
  own <- c(own, lapply(connection$who, quoted))
  if (length(texts) != 1L) pets_refuse("it is no one answer")
  release <- pets_verified(texts[[1]], connection$key, own)
  structure(list(
    table = pets_table(release), guarantee = pets_read(paste0("[", release$guarantee, "]"))[[1]],
    notes = unlist(pets_read(release$notes)), text = texts[[1]]
  ), class = "pets_release")
}

print.pets_release <- function(x, ...) {
  if (is.null(x$table)) {
    cat("This answer is verified, and this client shows counts, sums and means alone:\n")
    cat("writeLines(release$text, 'answer.json'), and open it in Python with pets.Release.load('answer.json').\n")
  } else {
    print(x$table, row.names = FALSE)
  }
  cat(x$guarantee, "\n")
  invisible(x)
}
