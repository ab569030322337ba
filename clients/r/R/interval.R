# From noisy whole numbers to estimates with intervals, as pets/release/estimate.py makes them.

# A count or a sum: factor * first part + centre * second part.
pets_linear <- function(output, cells, noise) {
  coefficients <- c(output$factor, output$centre)[seq_along(output$parts)]
  value <- as.vector(cells[, output$parts, drop = FALSE] %*% coefficients)
  grid <- pets_grid(coefficients)
  # values lie on a grid, and so does the smallest interval that is wide enough
  half <- ceiling(pets_sum_width(noise$law, coefficients, noise$scales[output$parts], noise$outside) * grid - 1e-9) / grid
  list(value = value, low = value - half, high = value + half)
}

# The smallest number whose multiples of these coefficients are whole.
pets_grid <- function(coefficients) {
  tries <- sort(unique(as.vector(outer(2^(0:20), 5^(0:12)))))
  tries <- tries[tries <= 1e9]
  fits <- vapply(tries, function(grid) {
    all(abs(coefficients * grid - round(coefficients * grid)) < 1e-9 * pmax(1, abs(coefficients * grid)))
  }, TRUE)
  if (any(fits)) tries[which(fits)[1]] else 1e9
}

# A mean: centre + factor * total / rows, with the interval of Fieller (1954); NA where nobody may be there.
pets_mean <- function(output, cells, noise) {
  total <- cells[, output$parts[1]]
  rows <- cells[, output$parts[2]]
  scales <- noise$scales[output$parts]
  n <- ifelse(rows > 0, rows, 1)
  value <- output$centre + output$factor * total / n
  if (noise$law == "none") {
    ends <- list(value = value, low = value, high = value)
    return(lapply(ends, function(one) ifelse(rows > 0, pmin(pmax(one, output$low), output$high), NA_real_)))
  }
  sd <- vapply(scales, function(scale) pets_deviation(noise$law, scale), 0)
  careful <- noise$outside * 0.05 # right also where few releases call a group estimable
  limit <- max(vapply(c(2e-4, careful), function(one) pets_half_width(noise$law, scales[2], one), 0))
  near <- rows <= 2 * limit
  outside <- ifelse(near, careful, noise$outside)
  z <- pets_spread(noise$law, outside, sd[1], total / n * sd[2])
  reach <- lapply(1:2, function(part) {
    width <- vapply(c(noise$outside, careful), function(one) pets_half_width(noise$law, scales[part], one), 0)
    pmax(z * sd[part], ifelse(near, width[2], width[1])) + 0.5
  })
  known <- rows > limit & n > reach[[2]]
  n <- ifelse(known, n, reach[[2]] + 1)
  a <- n^2 - reach[[2]]^2
  root <- sqrt(pmax((n * reach[[1]])^2 + (total * reach[[2]])^2 - (reach[[1]] * reach[[2]])^2, 0))
  ends <- list(value = value)
  ends$low <- output$centre + output$factor * (total * n - root) / a
  ends$high <- output$centre + output$factor * (total * n + root) / a
  lapply(ends, function(one) ifelse(known, pmin(pmax(one, output$low), output$high), NA_real_))
}

# The standard deviation of one draw.
pets_deviation <- function(law, scale) {
  if (law != "laplace") return(scale)
  p <- exp(-1 / scale)
  sqrt(2 * p) / -expm1(-1 / scale)
}

# z for a sum of two independent draws of these deviations: for Laplace, between the normal one and that of one draw.
pets_spread <- function(law, outside, first, second) {
  normal <- stats::qnorm(1 - outside / 2)
  if (law != "laplace") return(normal)
  total <- first^2 + second^2
  kurtosis <- (first^4 + second^4) / total^2
  normal + (-log(outside) / sqrt(2) - normal) * kurtosis
}
