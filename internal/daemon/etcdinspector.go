package daemon

import (
	"crypto/tls"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/tlsfiles"
)

// newInspector returns the inspector of the etcd members.
func newInspector(cfg config.Config, etcd *Etcd) *etcdcluster.Inspector {
	if etcd.endpoints != nil {
		return etcdcluster.NewInspector(etcd.Client, etcdcluster.Options{Endpoints: cfg.EtcdEndpoints, TLS: clientTLS(etcd.tls)})
	}
	options := etcdcluster.Options{IsOwn: true, TLS: clientTLS(etcd.clientListener), PeerTLS: clientTLS(etcd.peerListener)}
	if cert := etcd.clientListener.Cert; cert != nil {
		options.OwnCertificateNotAfter = func() time.Time { return cert.State().NotAfter }
	}
	return etcdcluster.NewInspector(etcd.Client, options)
}

// clientTLS returns the settings for connections to a host with the files, nil without files.
func clientTLS(files tlsfiles.Client) func(host string) *tls.Config {
	if files.Cert == nil && files.Roots == nil {
		return nil
	}
	return func(host string) *tls.Config { return files.Config(host, nil) }
}

// certificates returns the certificates in use.
func (m *tlsMetrics) certificates() []api.CertificateFile {
	var files []api.CertificateFile
	for _, file := range m.files {
		state := file.state()
		files = append(files, api.CertificateFile{Use: file.use, File: state.File, NotAfter: state.NotAfter.UTC()})
	}
	return files
}
