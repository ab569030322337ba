# The law of the noise, as pets/release/noise_quantiles.py has it: discrete Gaussian or discrete Laplace.

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

# The smallest h with P(|sum of coefficient * draw| <= h) >= 1 - outside, for one draw or two.
pets_sum_width <- function(law, coefficients, scales, outside) {
  coefficients <- abs(coefficients)
  if (law == "none") return(0)
  if (length(coefficients) == 1L) return(coefficients * pets_half_width(law, scales, outside))
  laws <- lapply(scales, function(scale) pets_law(law, scale))
  order <- order(vapply(laws, function(one) length(one$mass), 0))
  atoms <- laws[[order[1]]] # condition on the shorter one
  last <- laws[[order[2]]]
  unit <- coefficients[order[2]] * last$stride
  points <- coefficients[order[1]] * atoms$stride * seq(-atoms$reach, atoms$reach)
  tail <- c(rev(cumsum(rev(last$mass))), 0) # P(more than k steps), for k from -reach - 1
  above <- function(width) {
    steps <- (width - points) / unit
    if (last$smooth) { # what is tabulated lies half a step further
      at <- pmin(pmax(steps + last$reach + 0.5, 0), length(tail) - 1)
      whole <- pmin(floor(at), length(tail) - 2)
      chance <- tail[whole + 1] * (1 - (at - whole)) + tail[whole + 2] * (at - whole)
    } else {
      chance <- tail[pmin(pmax(floor(steps) + last$reach + 1, 0), length(tail) - 1) + 1]
    }
    sum(atoms$mass * chance)
  }
  if (above(0) <= outside / 2) return(0)
  low <- 0
  high <- max(points) + unit * (last$reach + 1)
  while (high - low > 1e-10 * high) {
    middle <- (low + high) / 2
    if (above(middle) <= outside / 2) high <- middle else low <- middle
  }
  whole <- round(high) # the place of a jump, where coefficients are whole
  if (abs(whole - high) <= 2e-10 * high && above(whole) <= outside / 2) whole else high
}

# P(draw = k) for k from -reach to reach; a great scale is brought down to a fine one, and the stride of k up.
pets_law <- function(law, scale) {
  gaussian <- law == "gaussian"
  fine <- min(scale, if (gaussian) 256 else 64)
  reach <- ceiling((if (gaussian) 9.5 else 38) * fine) + 2
  k <- seq(-reach, reach)
  mass <- if (gaussian) exp(-(k / fine)^2 / 2) else exp(-abs(k) / fine)
  list(mass = mass / sum(mass), reach = reach, stride = scale / fine, smooth = fine != scale)
}
