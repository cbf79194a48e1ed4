package peer

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"galaxy/rtmanager/internal/daemonhttp"
	"galaxy/rtmanager/internal/domain/node"
)

// keepAlive is the interval of TCP keepalives.
const keepAlive = 5 * time.Second

// transportKey names the connections to one address of a node.
type transportKey struct {
	ref node.Ref
	api string
}

// newTransport returns a transport to a node.
func (c *Client) newTransport(target node.Node) (*http.Transport, error) {
	address, err := url.Parse(target.API)
	if err != nil {
		return nil, err
	}
	var verify func(*x509.Certificate) error
	if c.requireNodeID {
		if address.Scheme != "https" {
			return nil, fmt.Errorf("its address %s is not https, and this daemon sends requests to verified daemons only; start that daemon with --tls-cert", target.API)
		}
		verify = func(leaf *x509.Certificate) error { return verifyNode(leaf, target.Ref()) }
	}
	return daemonhttp.NewTransport(c.files.Config(address.Hostname(), verify), keepAlive), nil
}

// verifyNode returns an error unless the certificate is that of the node. A daemon of another
// node, or a server that has taken the address of the node, must not receive its requests.
func verifyNode(leaf *x509.Certificate, ref node.Ref) error {
	if err := daemonhttp.VerifyDaemon(leaf); err != nil {
		return err
	}
	if leaf.Subject.CommonName != ref.String() {
		return fmt.Errorf("the certificate is that of node %q, not of %s", leaf.Subject.CommonName, ref)
	}
	return nil
}
