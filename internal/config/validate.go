package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/logging"
	"galaxy/rtmanager/internal/loopback"
)

// Validate returns nil if the settings are valid together, and otherwise all errors, each
// with the flag of its setting.
func (c Config) Validate() error {
	var v violations
	v.add(c.validateListen())
	v.add(c.validateSecurity())
	v.add(c.validateOIDC(c.AuthEnabled()))
	v.add(c.validateSecrets())
	v.add(c.validateAudit(c.Insecure))
	v.add(c.validateArchive(c.Insecure))
	v.add(c.validateBackup())
	v.add(c.validateLimits())
	if c.HasEmbeddedEtcd() {
		v.add(c.validateEmbedded())
	} else {
		v.add(c.validateEndpoints())
		v.add(c.validateClusterExternal())
	}
	v.addIf((c.EtcdCert == "") != (c.EtcdKey == ""), "--etcd-cert and --etcd-key must be set together")
	v.addIf((c.EtcdUser == "") != (c.EtcdPasswordFile == ""), "--etcd-user and --etcd-password-file must be set together")
	v.addIf(c.EtcdDialTimeout <= 0, "--etcd-dial-timeout %s must be positive", c.EtcdDialTimeout)
	v.add(validatePrefix(c.EtcdPrefix))
	v.addIf(c.Node == "", "--node is empty; name this daemon")
	v.addIf(!slices.Contains(engineNames(), c.Engine), "--engine %q is not an engine; use one of %s", c.Engine, strings.Join(engineNames(), ", "))
	v.addIf(c.Engine != EngineNone && c.Region == "", "--region is empty; name the region of this daemon")
	v.add(c.validateRename())
	v.add(c.validateFederation())
	v.addIf(c.Engine == EngineProcess && c.DataDir == "", "--data-dir is empty; set the directory of the process engine's games")
	v.addIf(!slices.Contains(logging.Formats(), c.LogFormat), "--log-format %q is not a log format; use one of %s", c.LogFormat, strings.Join(logging.Formats(), ", "))
	v.add(c.validateNodeManager())
	v.add(c.validatePlacement())
	v.addIf(c.HasTLS() && strings.HasPrefix(c.Advertise, "http:"), "--advertise %q is http, but --tls-cert serves the API over https; use https", c.Advertise)
	_, err := c.Level()
	v.add(err)
	return v.join()
}

// validateRename checks the former name of the node.
func (c Config) validateRename() error {
	if c.RenameFrom == "" {
		return nil
	}
	former, err := node.ParseRef(c.RenameFrom)
	switch {
	case err != nil:
		return fmt.Errorf("--rename-from %w", err)
	case former == node.Ref{Region: c.Region, Name: c.Node}:
		return fmt.Errorf("--rename-from %s is the present name of this node; set the new name with --region and --node", former)
	case c.DataDir == "":
		return errors.New("--rename-from needs --data-dir, which keeps the name")
	}
	return nil
}

func (c Config) validateListen() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q is not HOST:PORT, such as 127.0.0.1:8080", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--listen %q: %q is not a port from 0 to 65535", c.Listen, port)
	}
	if c.Insecure || loopback.IsHost(host) {
		return nil
	}
	return c.validateExposure(c.Listen)
}

// violations collects the errors of invalid settings.
type violations []error

// addIf adds an error if the setting is invalid.
func (v *violations) addIf(invalid bool, format string, args ...any) {
	if invalid {
		*v = append(*v, fmt.Errorf(format, args...))
	}
}

func (v *violations) add(err error) { *v = append(*v, err) }

func (v *violations) join() error { return errors.Join(*v...) }
