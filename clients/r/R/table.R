# The table of a release of counts: its keys, and each count with the ends of its interval.

# The table, or NULL for a release of other measures or other keys than this client reads.
pets_table <- function(release) {
  query <- pets_read(release$query)
  counts <- vapply(query$agg, function(one) one[[2]]$agg %in% c("count", "count_units") && length(one[[2]]) == 1L, TRUE)
  kinds <- vapply(query$agg, function(one) one[[2]]$agg, "")
  plain <- vapply(query$by, function(key) identical(key$key, "column") && is.null(key$label), TRUE)
  other <- c("keyset", "with", "people") %in% names(query)
  if (!all(counts) || anyDuplicated(kinds) || !all(plain) || any(other)) return(NULL)
  columns <- pets_read(release$schema)$tables[[query$table]]$columns
  labels <- lapply(query$by, function(key) pets_labels(columns[[key$column]]))
  if (any(vapply(labels, is.null, TRUE))) return(NULL)
  names(labels) <- vapply(query$by, function(key) key$column, "")
  groups <- prod(lengths(labels))
  values <- as.numeric(unlist(pets_read(release$values)))
  scales <- as.numeric(unlist(pets_read(release$scales)))
  if (length(values) != groups * length(kinds) || length(scales) != length(kinds)) return(NULL)
  # the last key changes fastest
  out <- if (length(labels)) rev(expand.grid(rev(labels), stringsAsFactors = FALSE)) else data.frame(row.names = 1L)
  law <- pets_read(paste0("[", release$mechanism, "]"))[[1]]
  confidence <- pets_read(release$protection)$confidence
  outside <- 1 - if (is.null(confidence)) 0.95 else as.numeric(confidence)
  for (place in seq_along(kinds)) {
    name <- query$agg[[place]][[1]]
    found <- values[seq_len(groups) + (place - 1) * groups]
    width <- pets_half_width(law, scales[place], outside)
    out[[name]] <- found
    out[[paste0(name, "_low")]] <- found - width
    out[[paste0(name, "_high")]] <- found + width
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

# The smallest whole m with P(|X| > m) <= outside, for one draw of discrete noise.
pets_half_width <- function(law, scale, outside) {
  if (law == "none") return(0)
  if (law == "laplace") {
    p <- exp(-1 / scale)
    return(max(0, ceiling(-scale * (log(outside) + log1p(p) - log(2)) - 1 - 1e-9)))
  }
  k <- 0:ceiling(scale * 40 + 10)
  mass <- exp(-k^2 / (2 * scale^2))
  tail <- rev(cumsum(rev(mass)))
  beyond <- 2 * c(tail[-1], 0) / (2 * tail[1] - mass[1])
  k[which(beyond <= outside)[1]]
}
