package httpclient

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only an alert about a certificate proves that the server has dropped the request.
func TestCertificateAlerts(t *testing.T) {
	t.Parallel()
	failure := func(op, text string) error {
		return &url.Error{Op: http.MethodPost, URL: "/v1/runtimes", Err: fmt.Errorf("http2: %w", &net.OpError{Op: op, Err: errors.New(text)})}
	}
	for _, text := range []string{"tls: unknown certificate authority", "tls: bad certificate", "tls: expired certificate", "tls: certificate required"} {
		err := failure("remote error", text)
		require.True(t, isCertificateAlert(err), text)
		require.True(t, isRejectedCaller(err), text)
		require.False(t, isAmbiguous(&sendError{err: err}), text)
		require.False(t, isCertificateAlert(failure("local error", text)), text)
	}
	require.False(t, isCertificateAlert(failure("remote error", "tls: internal error")))
	require.False(t, isCertificateAlert(&net.OpError{Op: "write", Err: syscall.ECONNRESET}))
	require.False(t, isCertificateAlert(nil))
}
