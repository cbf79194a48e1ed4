package embeddedetcd

import (
	"context"

	"google.golang.org/grpc"
)

// EndStreamsWith returns an interceptor for an etcd server that ends every client stream
// when ctx ends. Without it, closing etcd waits several seconds for open streams, such as
// an `etcdctl watch` in a terminal.
func EndStreamsWith(ctx context.Context) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		bound, cancel := context.WithCancel(stream.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return handler(srv, &boundStream{ServerStream: stream, ctx: bound})
	}
}

// boundStream is a stream with another context.
type boundStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the context by which etcd's handlers detect the end of the stream.
func (s *boundStream) Context() context.Context { return s.ctx }
