# The table of a release: its keys, and each count, sum or mean with the ends of its interval.

# What is measured follows from the query and the schema as it does in Python (pets/plan/measures.py); the tests of this
# client compare all numbers with those of Python. NULL for a release of other aggregates or keys than are known here.
pets_table <- function(release) {
  query <- pets_read(release$query)
  plain <- vapply(query$by, function(key) identical(key$key, "column") && is.null(key$label), TRUE)
  if (!all(plain) || any(c("keyset", "with", "people") %in% names(query))) return(NULL)
  columns <- pets_read(release$schema)$tables[[query$table]]$columns
  labels <- lapply(query$by, function(key) pets_labels(columns[[key$column]]))
  if (any(vapply(labels, is.null, TRUE))) return(NULL)
  names(labels) <- vapply(query$by, function(key) key$column, "")
  plan <- pets_plan(query$agg, columns)
  if (is.null(plan)) return(NULL)
  groups <- prod(lengths(labels))
  values <- as.numeric(unlist(pets_read(release$values)))
  scales <- as.numeric(unlist(pets_read(release$scales)))
  if (length(values) != groups * length(plan$measures) || length(scales) != length(plan$measures)) return(NULL)
  # the last key changes fastest
  out <- if (length(labels)) rev(expand.grid(rev(labels), stringsAsFactors = FALSE)) else data.frame(row.names = 1L)
  confidence <- pets_read(release$protection)$confidence
  outside <- 1 - if (is.null(confidence)) 0.95 else as.numeric(confidence)
  noise <- list(law = pets_read(paste0("[", release$mechanism, "]"))[[1]], scales = scales, outside = outside)
  cells <- matrix(values, nrow = groups) # a column for each measure
  for (output in plan$outputs) {
    found <- if (output$kind == "mean") pets_mean(output, cells, noise) else pets_linear(output, cells, noise)
    out[[output$name]] <- found$value
    out[[paste0(output$name, "_low")]] <- found$low
    out[[paste0(output$name, "_high")]] <- found$high
  }
  rownames(out) <- NULL
  out
}

# The values of a column that has slots of its own; NULL for one that has not.
pets_labels <- function(column) {
  found <- switch(column$type, category = unlist(column$values), boolean = c("False", "True"), NULL)
  if (is.null(found)) return(NULL)
  if (isFALSE(column$nullable)) found else c(found, "missing")
}
