package etcdconn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// rejectionMemory is how long a rejected password is not sent a second time. etcd spends
// tens of milliseconds of CPU time on each login.
const rejectionMemory = time.Second

// login keeps the token of the user. It is safe for concurrent use.
type login struct {
	user, passwordFile string
	auth               pb.AuthClient
	latest             atomic.Pointer[token] // nil before the first login
	failure            atomic.Pointer[error] // of the last login; nil after a successful one

	busy chan struct{} // has space for one holder, which may use the fields below
	// What etcd has rejected last.
	rejectedPassword string
	rejection        error
	rejectedAt       time.Time
}

// token is what etcd has issued for a password. Its text is empty while the cluster does not
// authenticate users.
type token struct {
	text       string
	obtainedAt time.Time
}

func newLogin(user, passwordFile string, auth pb.AuthClient) *login {
	return &login{user: user, passwordFile: passwordFile, auth: auth, busy: make(chan struct{}, 1)}
}

// current returns the latest token. It logs in if there is none, or if it is older than
// maxAge; 0 accepts every age.
func (l *login) current(ctx context.Context, maxAge time.Duration) (*token, error) {
	if latest := l.latest.Load(); latest != nil && (maxAge == 0 || time.Since(latest.obtainedAt) < maxAge) {
		return latest, nil
	}
	return l.replace(ctx, l.latest.Load())
}

// replace logs in unless another request has replaced the old token in the meantime.
func (l *login) replace(ctx context.Context, old *token) (*token, error) {
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	case <-ctx.Done():
		return nil, fmt.Errorf("another login has not ended: %w", ctx.Err())
	}
	if latest := l.latest.Load(); latest != old {
		return latest, nil
	}
	text, err := l.authenticate(ctx)
	if err != nil {
		l.failure.Store(&err)
		return nil, err
	}
	l.failure.Store(nil)
	latest := &token{text: text, obtainedAt: time.Now()}
	l.latest.Store(latest)
	return latest, nil
}

// authenticate logs in with the password that the file contains now. Only the holder of busy
// may call it.
func (l *login) authenticate(ctx context.Context) (string, error) {
	content, err := os.ReadFile(l.passwordFile)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(string(content), "\r\n")
	if l.rejection != nil && password == l.rejectedPassword && time.Since(l.rejectedAt) < rejectionMemory {
		return "", l.rejection
	}
	l.rejection = nil
	resp, err := l.auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: l.user, Password: password})
	switch err = rpctypes.Error(err); {
	case errors.Is(err, rpctypes.ErrAuthNotEnabled):
		return "", nil
	case errors.Is(err, rpctypes.ErrAuthFailed):
		l.rejectedPassword, l.rejection, l.rejectedAt = password, err, time.Now()
	}
	return resp.GetToken(), err
}

// isTokenRejected reports whether etcd has rejected the token of a request, and therefore
// the request.
func isTokenRejected(err error) bool {
	err = rpctypes.Error(err)
	return errors.Is(err, rpctypes.ErrInvalidAuthToken) || errors.Is(err, rpctypes.ErrAuthOldRevision) ||
		errors.Is(err, rpctypes.ErrUserEmpty)
}
