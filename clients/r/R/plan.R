# What a query's aggregates measure: the blocks of the vector, each once however many outputs share it, in the order in
# which they are first needed; and how an output is made of them. The same as in pets/plan/measures.py.

# list(measures, outputs), or NULL where an aggregate is none of count, count_units, sum and mean of a column as it is.
pets_plan <- function(aggregates, columns) {
  known <- vapply(aggregates, function(one) {
    agg <- one[[2]]
    allowed <- switch(agg$agg, count = , count_units = "agg", sum = , mean = c("agg", "column", "clip"), character())
    all(names(agg) %in% allowed) && (is.null(agg$column) || columns[[agg$column]]$type %in% c("integer", "real"))
  }, TRUE)
  if (!length(aggregates) || !all(known)) return(NULL)
  counters <- vapply(aggregates, function(one) pets_counter(one[[2]], columns), "")
  measures <- character()
  place <- function(name) {
    if (!(name %in% measures)) measures <<- c(measures, name)
    match(name, measures)
  }
  outputs <- lapply(seq_along(aggregates), function(i) {
    agg <- aggregates[[i]][[2]]
    found <- list(name = aggregates[[i]][[1]], kind = agg$agg, factor = 1, centre = 0)
    if (agg$agg %in% c("count", "count_units")) return(c(found, parts = place(counters[i])))
    # a midpoint is free only where its count is shared
    weight <- pets_weight(agg, columns[[agg$column]], shared = agg$agg == "mean" || sum(counters == counters[i]) > 1L)
    found[c("factor", "centre", "low", "high")] <- weight[c("factor", "centre", "low", "high")]
    parts <- place(paste("total", agg$column, weight$name))
    if (agg$agg == "mean" || found$centre != 0) parts <- c(parts, place(counters[i]))
    c(found, parts = list(parts))
  })
  list(measures = measures, outputs = outputs)
}

# The count that an output is or shares: of people, of rows, or of the rows with a value in a column.
pets_counter <- function(agg, columns) {
  if (agg$agg == "count_units") return("units")
  if (agg$agg == "count" || isFALSE(columns[[agg$column]]$nullable)) return("rows")
  paste("rows with", agg$column)
}

# How far a row moves a total: factor and centre turn what was measured into the column's own unit.
pets_weight <- function(agg, column, shared) {
  near <- function(value) abs(value - round(value)) < 1e-9
  origin <- as.numeric(column$min)
  step <- if (is.null(column$step)) 1 else as.numeric(column$step)
  low <- 0
  high <- floor((as.numeric(column$max) - origin) / step + 1e-9)
  if (!is.null(agg$clip)) {
    ends <- (as.numeric(unlist(agg$clip)) - origin) / step
    low <- max(low, floor(ends[1] + 1e-9))
    high <- min(high, ceiling(ends[2] - 1e-9))
  }
  ends <- list(low = origin + step * low, high = origin + step * high)
  if (!shared && near(origin / step)) return(c(list(factor = step, centre = 0, name = paste(low, high, "whole")), ends))
  even <- (low + high) %% 2 == 0
  factor <- if (even) step else step / 2
  centre <- origin + factor * if (even) (low + high) / 2 else low + high
  c(list(factor = factor, centre = if (abs(centre) < 1e-12) 0 else centre, name = paste(low, high, "centred")), ends)
}
