"""Other names: what other libraries call the parts of a fit, answered by what they are called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pets.errors import NoSuchNameError, did_you_mean

NAMES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("params", "params_", "coef", "coef_", "coefs"), ("coefficients", "coefficients")),
    "intercept_": ("coefficients", "coefficients['intercept']"),
    **dict.fromkeys(("bse", "standard_errors", "std_errors", "se"), ("table", "table['error']")),
    **dict.fromkeys(("pvalues", "p_values"), ("table", "table['p']")),
    **dict.fromkeys(("conf_int", "confint", "confidence_intervals_", "ci"), ("table", "table[['low', 'high']]")),
    **dict.fromkeys(
        ("odds_ratios", "odds_ratio", "rate_ratios", "hazard_ratios", "hazard_ratios_"), ("table", "table['ratio']")
    ),
    **dict.fromkeys(("cov_params", "vcov", "variance_matrix_"), ("covariance", "covariance")),
    **dict.fromkeys(("nobs", "n", "n_obs"), ("rows", "rows")),
    **dict.fromkeys(("summary2", "print_summary"), ("summary", "summary()")),
    **dict.fromkeys(("get_prediction", "predict_expectation"), ("predict", "predict(rows)")),
    **dict.fromkeys(
        ("get_margeff", "marginal_effects", "avg_predictions", "standardise", "standardize"),
        ("margins", "margins('column', over=…)"),
    ),
    **dict.fromkeys(("survival_function_", "survival", "cumulative_density_"), ("table", "table['survival']")),
    **dict.fromkeys(
        ("predict_survival_function", "baseline_survival_", "baseline_hazard_", "baseline_cumulative_hazard_"),
        ("predict_survival", "predict_survival(rows)"),
    ),
    **dict.fromkeys(("predict_partial_hazard", "predict_hazard"), ("ratios", "ratios(rows)")),
    **dict.fromkeys(("median_survival_time_", "median_survival_times"), ("median", "median")),
    **dict.fromkeys(("plot_coefficients", "forest", "forest_plot"), ("chart", "chart()")),
    **dict.fromkeys(("p_value", "pvalue"), ("p", "p")),
    **dict.fromkeys(("test_statistic", "chi2"), ("statistic", "statistic")),
}
"""By another name: the attribute that a fit must have for it, and how it is written."""
NEEDS_ROWS = {"resid", "residuals", "fittedvalues", "resid_response", "get_influence", "influence"}
NOT_MEASURED = {"aic", "bic", "llf", "llnull", "loglikelihood", "log_likelihood_", "deviance", "prsquared", "AIC_"}
OF_NEW_ROWS = {"rsquared", "rsquared_adj", "r2", "score", "concordance_index_"}
AGAIN = {"fit", "fit_predict", "partial_fit"}


class OtherNames:
    """A fit that lacks a name says what it has in its place; ``hasattr`` is false of it all the same."""

    if not TYPE_CHECKING:  # a type checker knows what there is

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or hasattr(type(self), name):
                return object.__getattribute__(self, name)  # as usual: a property's own error, too
            raise NoSuchNameError(f"a fit has no .{name}{_instead(self, name)}")


def _instead(fit: object, name: str) -> str:
    attribute, written = NAMES.get(name, ("", ""))
    if attribute and hasattr(type(fit), attribute):
        return f"; here it is fit.{written}"
    if name in AGAIN:
        return ", as it is fitted already: fit another with session.fit(model, protection)"
    if name in NEEDS_ROWS:
        return ", which would be of its rows, and it holds none"
    if name in OF_NEW_ROWS and hasattr(type(fit), "score"):
        return ": fit.score(rows) judges it by rows of your own"
    if name in NOT_MEASURED or name in OF_NEW_ROWS:
        return ", which does not follow from the sums that were released; fit.notes and fit.summary() say what does"
    known = [one for one in dir(type(fit)) if not one.startswith("_")]
    return did_you_mean(name, known)
