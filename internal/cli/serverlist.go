package cli

import (
	"crypto/tls"
	"net/url"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/clientconfig"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/tlsfiles"
)

// serverList is the value of --server: URLs separated by commas, which a repeated flag appends.
type serverList struct {
	target *string
	isSet  bool
}

// Set implements pflag.Value.
func (l *serverList) Set(text string) error {
	if l.isSet && text != "" {
		text = *l.target + "," + text
	}
	*l.target, l.isSet = text, true
	return nil
}

// String implements pflag.Value.
func (l *serverList) String() string {
	if l.target == nil {
		return ""
	}
	return *l.target
}

// Type implements pflag.Value.
func (l *serverList) Type() string { return "string" }

// redactServers removes users and passwords from URLs for a message.
func redactServers(text string) string {
	servers := clientconfig.Servers(text)
	for i, server := range servers {
		servers[i] = config.RedactURL(server)
	}
	return strings.Join(servers, ", ")
}

// hasScheme reports whether the URL of one of the servers has the scheme.
func hasScheme(servers, scheme string) bool {
	for _, server := range clientconfig.Servers(servers) {
		if u, err := url.Parse(server); err == nil && u.Scheme == scheme {
			return true
		}
	}
	return false
}

// httpServers returns the servers for a client, each with the TLS settings for its host name.
func (g *globals) httpServers() []httpclient.Server {
	var servers []httpclient.Server
	for _, base := range clientconfig.Servers(g.server) {
		server := httpclient.Server{URL: base, TLS: g.connection.tlsFor(base)}
		if g.store != "" {
			server.URL = httpclient.StoreURL(base, g.store)
		}
		servers = append(servers, server)
	}
	return servers
}

// tlsFor returns the TLS settings for a server, nil without a certificate and authorities.
func (c *connection) tlsFor(server string) *tls.Config {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || c.tlsClient == (tlsfiles.Client{}) {
		return nil // httpclient rejects an invalid address
	}
	return c.tlsClient.Config(u.Hostname(), nil)
}
