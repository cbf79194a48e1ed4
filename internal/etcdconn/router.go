package etcdconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/etcd"
)

// Methods and services that are treated in a special way.
const (
	methodAuthenticate = "/etcdserverpb.Auth/Authenticate"
	methodStatus       = "/etcdserverpb.Maintenance/Status"
	serviceMaintenance = "/etcdserverpb.Maintenance/"
	serviceLease       = "/etcdserverpb.Lease/"
	serviceWatch       = "/etcdserverpb.Watch/"
)

// watchTokenAge bounds the age of the token of a new watch. etcd checks that token only
// when the watch starts, and a rejected one ends it.
const watchTokenAge = time.Second

// router is the connection of the etcd client library. It selects the endpoint of each
// request, and adds the token of the user.
type router struct{ pool *Pool }

// call is one unary request.
type call struct {
	method      string
	args, reply any
	opts        []grpc.CallOption
}

// pin selects the endpoint of the requests with a context.
type pin struct {
	endpoint *endpoint
	// A probe neither logs in nor changes the state of its endpoint.
	isProbe bool
}

type pinKey struct{}

func withPin(ctx context.Context, p pin) context.Context { return context.WithValue(ctx, pinKey{}, p) }

// Invoke implements grpc.ClientConnInterface. An endpoint that has certainly not executed
// the request is replaced at once. Every other error is returned: only the caller knows
// whether the request may be repeated.
func (r router) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	c := call{method: method, args: args, reply: reply, opts: opts}
	if pinned, ok := ctx.Value(pinKey{}).(pin); ok {
		return r.invokeAt(ctx, pinned.endpoint, c)
	}
	var excluded []*endpoint
	for {
		e := r.pool.selectEndpoint(excluded)
		err := r.invokeAt(ctx, e, c)
		excluded = append(excluded, e)
		isServed := err == nil || !isUnserved(err) && !errors.Is(err, etcd.ErrNotSent)
		if isServed || ctx.Err() != nil || len(excluded) == len(r.pool.endpoints) {
			return err
		}
	}
}

// invokeAt sends a request to the endpoint. If etcd rejects the token, it logs in and sends
// the request a second time.
func (r router) invokeAt(ctx context.Context, e *endpoint, c call) error {
	login := r.pool.login
	if pinned, _ := ctx.Value(pinKey{}).(pin); login == nil || pinned.isProbe || c.method == methodAuthenticate {
		return r.send(ctx, e, c)
	}
	current, err := login.current(ctx, 0)
	if err != nil {
		return loginError(login, err)
	}
	if err = r.send(ctx, e, c); !isTokenRejected(err) {
		return err
	}
	if _, err = login.replace(ctx, current); err != nil {
		return loginError(login, err)
	}
	return r.send(ctx, e, c)
}

// loginError returns the error of a request that was not sent because the login failed.
func loginError(l *login, err error) error {
	return fmt.Errorf("%w: log in as user %s: %s", etcd.ErrNotSent, l.user, err.Error())
}

// send makes one request to the endpoint and reports its outcome.
func (r router) send(ctx context.Context, e *endpoint, c call) error {
	var served peer.Peer
	started := r.pool.now()
	opts := append(slices.Clip(c.opts), grpc.Peer(&served))
	err := e.connFor(c.method).Invoke(r.outgoing(ctx, c.method, c.args), c.method, c.args, c.reply, opts...)
	if pinned, _ := ctx.Value(pinKey{}).(pin); !pinned.isProbe {
		r.pool.report(e, outcome{started: started, err: err})
	}
	switch {
	case err == nil:
		return nil
	case isNotEtcd(err):
		return fmt.Errorf("%w: %s: %w: %s", etcd.ErrNotSent, e.url, errNotEtcd, status.Convert(err).Message())
	case served.Addr == nil: // without a transport, nothing was sent
		return fmt.Errorf("%w: %s: %s", etcd.ErrNotSent, e.url, status.Convert(err).Message())
	}
	return err
}

// connFor returns the connection for a method.
func (e *endpoint) connFor(method string) *grpc.ClientConn {
	if method == methodStatus || strings.HasPrefix(method, serviceLease) || strings.HasPrefix(method, serviceWatch) {
		return e.control
	}
	return e.bulk
}

// outgoing adds the token of the user. It also makes a member without a leader reject the
// request at once, which it would otherwise hold until its own timeout.
func (r router) outgoing(ctx context.Context, method string, args any) context.Context {
	var pairs []string
	if r.pool.login != nil && method != methodAuthenticate {
		if current := r.pool.login.latest.Load(); current != nil && current.text != "" {
			pairs = append(pairs, rpctypes.TokenFieldNameGRPC, current.text)
		}
	}
	if needsLeader(ctx, method, args) {
		pairs = append(pairs, rpctypes.MetadataRequireLeaderKey, rpctypes.MetadataHasLeader)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// needsLeader reports whether a member without a leader cannot serve the request, and the
// context does not require a leader yet.
func needsLeader(ctx context.Context, method string, args any) bool {
	if isLocalRead(args) {
		return false
	}
	sent, _ := metadata.FromOutgoingContext(ctx)
	return len(sent.Get(rpctypes.MetadataRequireLeaderKey)) == 0 && !strings.HasPrefix(method, serviceMaintenance)
}

// isLocalRead reports whether a member serves the request alone: a serializable read, or a
// transaction of such reads.
func isLocalRead(args any) bool {
	switch request := args.(type) {
	case *pb.RangeRequest:
		return request.GetSerializable()
	case *pb.TxnRequest:
		return !slices.ContainsFunc(slices.Concat(request.GetSuccess(), request.GetFailure()), func(op *pb.RequestOp) bool {
			return !op.GetRequestRange().GetSerializable()
		})
	default:
		return false
	}
}
