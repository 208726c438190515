package object

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/coterie-project/coterie/internal/fault"
)

// errSilent is a try that was given up because nothing came any more.
var errSilent = errors.New("the service has fallen silent")

// try makes a call until it succeeds, fails for good, or has failed as often as the limits say. The error is explained, or
// that of the context.
func (s *service) try(ctx context.Context, method string, n Name, kind fault.Kind, do func(ctx context.Context) error) error {
	for failures := 1; ; failures++ {
		err := do(ctx)
		countRequest(method, outcome(ctx, err))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !passing(err) {
			return explain(kind, method, n, err)
		}
		if failures >= s.limits.tries {
			return away(n, err, failures)
		}
		if err := s.rest(ctx, failures); err != nil {
			return err
		}
	}
}

// brief is try for a call whose answer is small.
func (s *service) brief(ctx context.Context, method string, n Name, kind fault.Kind, do func(ctx context.Context) error) error {
	return s.try(ctx, method, n, kind, func(ctx context.Context) error {
		bounded, cancel := context.WithTimeout(ctx, s.limits.call)
		defer cancel()
		return do(bounded)
	})
}

// rest waits before the next try: twice as long after each failure, and not as long as others who have failed at the same
// moment.
func (s *service) rest(ctx context.Context, failures int) error {
	counted.retries.Add(1)
	pause := min(s.limits.pause<<min(failures-1, 20), s.limits.longest)
	timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// status is the number of an HTTP answer; 0 where there was none.
func status(err error) int {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// code is the service's word for an error; "" where it gave none.
func code(err error) string {
	var said smithy.APIError
	if errors.As(err, &said) {
		return said.ErrorCode()
	}
	return ""
}

// passing says whether the same call may succeed a moment later.
func passing(err error) bool {
	var known *fault.Error
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &known), errors.Is(err, errLong), errors.As(err, &authority), errors.As(err, &host), errors.As(err, &certificate):
		return false
	case errors.As(err, &name) && name.IsNotFound:
		return false
	}
	if slices.Contains([]string{"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "BadDigest", "IncompleteBody",
		"ConditionalRequestConflict", "OperationAborted", "Throttling", "ThrottlingException", "RequestLimitExceeded"}, code(err)) {
		return true
	}
	switch n := status(err); n {
	case 0:
		return true // no answer at all
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	default:
		return n >= 500 && n != http.StatusNotImplemented
	}
}

// unclear says whether a write that failed like this may have happened all the same: its answer was lost.
func unclear(err error) bool { return status(err) == 0 || status(err) >= 500 }
