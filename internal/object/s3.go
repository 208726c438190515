package object

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"

	"github.com/coterie-project/coterie/internal/fault"
)

// limits bound the waits of a service.
type limits struct {
	tries   int           // of one call, the first included
	pause   time.Duration // before the second try; it doubles with each further one
	longest time.Duration // that a pause becomes
	answer  time.Duration // until an answer begins
	silence time.Duration // between two pieces of a body
	call    time.Duration // one try of a call without a body
}

// patient are the limits in use: about a quarter of a minute of pauses, so that a service that starts again is waited for.
var patient = limits{tries: 8, pause: 100 * time.Millisecond, longest: 5 * time.Second, answer: 20 * time.Second,
	silence: 20 * time.Second, call: time.Minute}

const (
	// connections that stay open: as many as readers keep in flight.
	connections = 128
	// credentialWait bounds the search for credentials, at the end of which the roles of machines are asked for.
	credentialWait = 15 * time.Second
	// anyRegion is the region named to services other than AWS, which mostly have none.
	anyRegion = "us-east-1"
)

// service is a Store that speaks S3.
type service struct {
	client *s3.Client
	limits limits
	payer  types.RequestPayer
}

// New connects to the service that the options name. It looks for credentials at once; whether they and the region are
// right shows at the first call. Errors are of kind Usage for an endpoint that is none, else Failed.
func New(ctx context.Context, o Options) (Store, error) { return newService(ctx, o, patient) }

func newService(ctx context.Context, o Options, l limits) (*service, error) {
	if o.Endpoint != "" {
		if err := isService("--s3-endpoint", o.Endpoint); err != nil {
			return nil, err
		}
	}
	loads := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{}), // what matters comes as an error
		config.WithHTTPClient(client(l)),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} })}
	if o.Region != "" {
		loads = append(loads, config.WithRegion(o.Region))
	}
	c, err := config.LoadDefaultConfig(ctx, loads...)
	if err != nil {
		return nil, fault.Failedf(err, "the settings of the object store cannot be read").Do("look at AWS_PROFILE and ~/.aws")
	}
	endpoint := o.Endpoint != "" || c.BaseEndpoint != nil
	if o.Endpoint == "" && c.BaseEndpoint != nil {
		if err := isService("AWS_ENDPOINT_URL", *c.BaseEndpoint); err != nil {
			return nil, err
		}
	}
	if c.Region == "" && endpoint {
		c.Region = anyRegion
	}
	if c.Region == "" {
		return nil, fault.Failedf(nil, "the region of the object store is not known").Do("name it: --s3-region eu-central-1, or AWS_REGION")
	}
	if err := credentials(ctx, c.Credentials); err != nil {
		return nil, err
	}
	made := s3.NewFromConfig(c, func(s *s3.Options) {
		if o.Endpoint != "" {
			s.BaseEndpoint = aws.String(o.Endpoint)
		}
		s.UsePathStyle = o.PathStyle
		s.HTTPClient = listener{s.HTTPClient, answerBytes}
		// Checksums in trailers are what many services other than AWS do not take.
		s.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		s.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		s.DisableLogOutputChecksumValidationSkipped = true
	})
	store := &service{client: made, limits: l}
	if o.RequesterPays {
		store.payer = types.RequestPayerRequester
	}
	return store, nil
}

// credentials looks whether there are any: without them every call would fail with a text about their last source.
func credentials(ctx context.Context, from aws.CredentialsProvider) error {
	bounded, cancel := context.WithTimeout(ctx, credentialWait)
	defer cancel()
	if from != nil {
		if _, err := from.Retrieve(bounded); err == nil {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fault.Failedf(nil, "there are no credentials for the object store").
		Do("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role")
}

// client keeps as many connections as readers use, and never unpacks what it carries. It is one of the SDK's own, so that
// AWS_CA_BUNDLE and the like work.
func client(l limits) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
		t.DialContext = (&net.Dialer{Timeout: l.answer, KeepAlive: l.answer}).DialContext
		t.ResponseHeaderTimeout = l.answer
		t.DisableCompression = true
		t.ReadBufferSize = 64 << 10 // bodies are megabytes
	})
}
