# The certificate of a release: an in-toto statement in a DSSE envelope, signed with Ed25519.
# `pets verify` derives more from it: that what it promises follows from the question. Save the answer for that.

PETS_PAYLOAD <- "application/vnd.in-toto+json"

pets_refuse <- function(why) {
  stop(paste0(
    "the answer is not shown, since its certificate does not hold: ", why, "; tell the custodian, and ask which key is ",
    "the ledger's"
  ), call. = FALSE)
}

pets_key <- function(key) {
  text <- if (file.exists(key)) readLines(key, n = 1L, warn = FALSE) else key
  if (!grepl("^[0-9a-f]{64}$", trimws(text))) {
    stop("key is the ledger's public key: 64 hex digits, or the path of its file", call. = FALSE)
  }
  trimws(text)
}

# The members of a release, once the key is known to have signed exactly these bytes, as an answer to this question.
pets_verified <- function(text, key, own) {
  members <- tryCatch(pets_members(text), error = function(e) pets_refuse("it is no release"))
  if (is.null(members$certificate)) pets_refuse("nobody has signed it")
  envelope <- pets_read(members$certificate)
  payload <- openssl::base64_decode(envelope$payload)
  signature <- openssl::base64_decode(envelope$signatures[[1]]$sig)
  if (!identical(envelope$payloadType, PETS_PAYLOAD) || length(signature) != 64L) pets_refuse("it is no certificate")
  head <- sprintf("DSSEv1 %d %s %d ", nchar(PETS_PAYLOAD), PETS_PAYLOAD, length(payload))
  public <- openssl::read_ed25519_pubkey(as.raw(strtoi(substring(key, seq(1, 63, 2), seq(2, 64, 2)), 16L)))
  genuine <- tryCatch(
    openssl::ed25519_verify(c(charToRaw(head), payload), signature, public), error = function(e) FALSE
  )
  if (!isTRUE(genuine)) pets_refuse("it was edited, or another key signed it")
  statement <- pets_read(rawToChar(payload))
  subject <- statement$subject[[1]]$digest$sha256
  body <- pets_without(text, c("certificate", "digest"))
  found <- paste(as.character(as.raw(openssl::sha256(charToRaw(enc2utf8(body))))), collapse = "")
  if (!identical(statement$predicateType, "urn:pets:release:v1") || !identical(found, subject)) {
    pets_refuse("it is about another release")
  }
  for (name in names(own)) {
    if (!identical(members[[name]], own[[name]])) pets_refuse(paste("it answers another question, by its", name))
  }
  members
}
