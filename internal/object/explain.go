package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/coterie-project/coterie/internal/fault"
)

// Failure is an error about an object that is errors.Is is and reads like its *fault.Error alone; is may be nil. It is
// what every Store gives: kind Input from its reading methods, Failed from its writing ones and for ErrAway.
func Failure(kind fault.Kind, n Name, is error, problem, remedy string) error {
	e := &fault.Error{Kind: kind, Place: fault.In(n.String()), Problem: problem, Remedy: remedy}
	if is == nil {
		return e
	}
	return failure{e, is}
}

// Placed is an error of Default, which is about no object yet, as one about what lies at a path: there are no credentials, or
// no region. Of what is read it is Input, but where the service cannot be reached.
func Placed(kind fault.Kind, path string, err error) error {
	var known *fault.Error
	if !errors.As(err, &known) || known.Kind == fault.Usage || errors.Is(err, ErrAway) {
		return err
	}
	same := *known
	same.Kind = kind
	if same.Place.File == "" {
		same.Place = fault.In(path)
	}
	return &same
}

type failure struct {
	as *fault.Error
	is error
}

func (f failure) Error() string   { return f.as.Error() }
func (f failure) Unwrap() []error { return []error{f.as, f.is} }

// outcome is the word under which a try is counted.
func outcome(ctx context.Context, err error) string {
	switch n := status(err); {
	case err == nil:
		return "ok"
	case ctx.Err() != nil:
		return "cancelled"
	case n == http.StatusNotFound:
		return "missing"
	case n == http.StatusForbidden, n == http.StatusUnauthorized:
		return "denied"
	case n == http.StatusPreconditionFailed, errors.Is(err, ErrChanged):
		return "changed"
	}
	return "failed"
}

// away is the error after the last try.
func away(n Name, err error, tries int) error {
	return Failure(fault.Failed, n, ErrAway, fmt.Sprintf("the object store cannot be reached or keeps failing (%d tries): %v", tries, bare(err)),
		"look at the service, --s3-endpoint and the network, then start again")
}

// bare is the innermost of an error that tells something: the SDK wraps it in the request's number and the like.
func bare(err error) error {
	if c := code(err); c != "" && status(err) != 0 {
		return fmt.Errorf("%s (HTTP %d)", c, status(err))
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil || inner == io.EOF || inner == io.ErrUnexpectedEOF {
			return err
		}
		err = inner
	}
}

// explain turns an answer to a method that is no success into an error that says what to do.
func explain(kind fault.Kind, method string, n Name, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, errLong) {
		return Failure(kind, n, errLong, "the service answers with more bytes than such an answer has", "look at the service behind --s3-endpoint")
	}
	bucket := Scheme + n.Bucket
	switch c := code(err); c {
	case "NoSuchBucket":
		return Failure(kind, n, ErrNotFound, "the bucket "+bucket+" does not exist", "check its name, --s3-endpoint and --s3-region")
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return Failure(kind, n, ErrIdentity, "the credentials are not valid: "+c, "look at AWS_ACCESS_KEY_ID, AWS_PROFILE, or the machine's role; a temporary key ends")
	case "RequestTimeTooSkewed":
		return Failure(kind, n, ErrIdentity, "this machine's clock is wrong: the service refuses its signature", "set the clock")
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return elsewhere(kind, n, err)
	case "InvalidBucketName":
		return Failure(kind, n, ErrNotFound, fmt.Sprintf("the service does not take %q as the name of a bucket", n.Bucket), "check it")
	case "InvalidObjectState":
		return Failure(kind, n, ErrDenied, "lies in an archive and cannot be read at once", "restore it first")
	case "EntityTooLarge", "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
		return Failure(kind, n, nil, "the service has no room for it: "+c, "free some, or write to another bucket")
	}
	switch status(err) {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		return elsewhere(kind, n, err)
	case http.StatusNotFound:
		return Failure(kind, n, ErrNotFound, "does not exist", "check the bucket, the key and --s3-endpoint")
	case http.StatusForbidden, http.StatusUnauthorized:
		return denied(kind, method, n, "")
	case http.StatusPreconditionFailed:
		return Failure(kind, n, ErrChanged, "was changed by another writer", "look at what stands there, then start again")
	case http.StatusRequestedRangeNotSatisfiable:
		return Failure(kind, n, io.ErrUnexpectedEOF, "ends before where it was to be read", "is the upload complete?")
	case http.StatusInsufficientStorage:
		return Failure(kind, n, nil, "the service has no room for it", "free some, or write to another bucket")
	}
	return Failure(kind, n, nil, "the object store refuses: "+bare(err).Error(), "look at --s3-endpoint, --s3-region and --s3-path-style")
}

// elsewhere is the error of a bucket of another region.
func elsewhere(kind fault.Kind, n Name, err error) error {
	region := ""
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		region = answer.Response.Header.Get(regionHeader)
	}
	if region == "" {
		return Failure(kind, n, nil, "the bucket lies in another region: "+bare(err).Error(), "name that: --s3-region, or AWS_REGION")
	}
	return Failure(kind, n, nil, "the bucket lies in another region: "+region, "--s3-region "+region)
}
