package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
)

// TLSMode says how far a registry's TLS is trusted.
type TLSMode string

// The modes. The zero value verifies certificates, and speaks plain HTTP to loopback hosts that have no TLS, as docker
// does; Options.InsecureHosts applies to it alone.
const (
	TLSVerify TLSMode = "verify"
	TLSSkip   TLSMode = "skip" // any certificate will do; plain HTTP where there is no TLS
	TLSOff    TLSMode = "off"  // plain HTTP
)

func rootCAs(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil // the system's
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read registry CA: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read registry CA: %s holds no PEM certificate", f)
		}
	}
	return pool, nil
}

// CertificateProblem says what is wrong with a certificate; false where err is none of a certificate.
func CertificateProblem(err error) (image.Text, bool) {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return image.Text{}, false
	}
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return image.Textf("it is signed by an unknown authority"), true
	case errors.As(err, &host):
		return image.Textf("it is for another host"), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return image.Textf("it has expired, or is not yet valid"), true
	case errors.As(err, &invalid):
		return image.Plain(response.Clean(invalid.Error())), true
	}
	return image.Textf("it cannot be verified"), true
}

// SchemeMismatch reports whether a server answered TLS with plain HTTP.
func SchemeMismatch(err error) bool {
	var header tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &header)
}
