package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/daemonhttp"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/tlsfiles"
)

// maxResponseBytes bounds how much of a response is read.
const maxResponseBytes = 64 << 20

// Config tunes a Client.
type Config struct {
	// Self names the node that sends the requests.
	Self node.Ref
	// TLS verifies nodes with https addresses, and proves the identity of this daemon to them.
	TLS tlsfiles.Client
	// RequireNodeIdentity rejects every node that does not prove by its certificate that it
	// is the node to which a request is sent.
	RequireNodeIdentity bool
	// Logger receives debug lines. Default: none.
	Logger *slog.Logger
}

// Client calls the API of other nodes. It is safe for concurrent use.
type Client struct {
	self          node.Ref
	files         tlsfiles.Client
	requireNodeID bool
	transports    *daemonhttp.Transports[transportKey]
	log           *slog.Logger
}

// New returns a client.
func New(cfg Config) *Client {
	c := &Client{
		self: cfg.Self, files: cfg.TLS, requireNodeID: cfg.RequireNodeIdentity,
		transports: daemonhttp.NewTransports[transportKey](cfg.TLS), log: cfg.Logger,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.transports.CloseIdle() }

// roundTrip sends a request on a connection to the node.
func (c *Client) roundTrip(request *http.Request, target node.Node) (*http.Response, error) {
	key := transportKey{target.Ref(), target.API}
	transport, err := c.transports.Get(key, func() (*http.Transport, error) { return c.newTransport(target) })
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(request)
}

// call is one request to another node.
type call struct {
	method, path string
	query        url.Values
	body         any          // nil for none
	origin       ports.Origin // its empty fields are not sent
	// isValid reports whether the decoded result has the members of want, such as "a report".
	// JSON without them, such as null, must not count as a response.
	isValid func() bool
	want    string
}

// do sends the call and decodes the response into result. It returns a problem of the
// node as an *api.Problem. Without a response of the API it returns the cause of ctx or
// a *node.UnreachableError, together with runtime.ErrOutcomeUnknown if the call may have
// changed something.
func (c *Client) do(ctx context.Context, target node.Node, call call, result any) error {
	address, err := addressOf(target, call.path, call.query)
	if err != nil {
		return err
	}
	ctx, connected := daemonhttp.TraceConnection(ctx)
	request, err := c.newRequest(ctx, call, address)
	if err != nil {
		return fmt.Errorf("call node %s: %w", target.Ref(), err)
	}
	response, err := c.roundTrip(request, target)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		err = decodeResponse(response, result)
		if err == nil && !call.isValid() {
			err = errors.New("its response is not " + call.want)
		}
	}
	var problem *api.Problem
	if err == nil || errors.As(err, &problem) {
		return err
	}
	err = unreachableError(ctx, target, err)
	if call.method != http.MethodGet && connected.Load() {
		return fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, err)
	}
	return err
}

func (c *Client) newRequest(ctx context.Context, call call, address *url.URL) (*http.Request, error) {
	var body []byte
	if call.body != nil {
		var err error
		if body, err = json.Marshal(call.body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, call.method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	c.setForwarded(ctx, request.Header)
	setOrigin(request.Header, call.origin)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// setForwarded names this node, the request and the caller whose request it forwards. A daemon that does not
// authenticate callers forwards none.
func (c *Client) setForwarded(ctx context.Context, header http.Header) {
	header.Set(api.HeaderForwarded, api.EncodeHeaderText(c.self.String()))
	daemonhttp.SetCaller(ctx, header)
}

// decodeResponse decodes a response of the API. It returns a problem document, and any
// other response, as an error.
func decodeResponse(response *http.Response, result any) error {
	media := daemonhttp.MediaType(response)
	body := io.LimitReader(response.Body, maxResponseBytes)
	switch {
	case response.StatusCode == http.StatusOK && media == "application/json":
		return json.NewDecoder(body).Decode(result)
	case daemonhttp.IsProblem(response):
		var problem api.Problem
		if err := json.NewDecoder(body).Decode(&problem); err != nil {
			return err
		}
		if problem.Code == "" {
			break
		}
		problem.Status = response.StatusCode
		return &problem
	}
	return foreignResponseError(response)
}

func foreignResponseError(response *http.Response) error {
	return fmt.Errorf("%s is not a response of this API", response.Status)
}

// addressOf returns the URL of a path at a node.
func addressOf(target node.Node, path string, query url.Values) (*url.URL, error) {
	base, err := url.Parse(target.API)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil {
		return nil, &node.UnreachableError{Node: target.Ref(), Reason: "has no valid address for other nodes; set the advertised address of its daemon"}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return url.Parse(strings.TrimSuffix((&url.URL{Scheme: base.Scheme, Host: base.Host, Path: base.Path}).String(), "/") + path)
}

// unreachableError returns the reason why a present node did not respond: the cause with
// which ctx was canceled, or a *node.UnreachableError.
func unreachableError(ctx context.Context, target node.Node, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	reason := "does not respond at " + target.API + ": " + err.Error()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		reason = "did not respond in time at " + target.API
	}
	return &node.UnreachableError{Node: target.Ref(), Network: true, Reason: reason}
}
