package daemon

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// peerTimeout is how long the API keeps a connection whose peer does not acknowledge
// anything, because its link or its machine is down. Without a bound the kernel
// retransmits for about 15 minutes, in which the connection holds a stream.
const peerTimeout = 30 * time.Second

// listen listens on the address of the API. The accepted connections end within
// peerTimeout after their peer has disappeared, whether data is in flight or not.
//
// It retries for a short time while the address is in use: after a daemon is killed, a
// child that it was forking holds its sockets until the child executes its program.
func listen(ctx context.Context, address string) (net.Listener, error) {
	const retryTimeout, retryInterval = 2 * time.Second, 50 * time.Millisecond
	config := &net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: peerTimeout / 2, Interval: peerTimeout / 6, Count: 3},
		Control: func(_, _ string, socket syscall.RawConn) error {
			var optionErr error
			err := socket.Control(func(fd uintptr) { optionErr = setUserTimeout(fd, peerTimeout) })
			return errors.Join(err, optionErr)
		},
	}
	return backoff.Retry(ctx, func() (net.Listener, error) {
		listener, err := config.Listen(ctx, "tcp", address)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			return nil, backoff.Permanent(err)
		}
		return listener, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(retryInterval)), backoff.WithMaxElapsedTime(retryTimeout))
}
