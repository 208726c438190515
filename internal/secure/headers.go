package secure

import "net/http"

// StrictPolicy is the Content-Security-Policy of whatever is no page: it loads nothing, runs nothing, and stands in no frame.
const StrictPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// Headers puts in front of h what every answer to a browser has: what comes is taken for what it says it is, stands in
// nobody's frame, and tells other places nothing. A page of its own replaces the policy.
func Headers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", StrictPolicy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.ServeHTTP(w, r)
	})
}
