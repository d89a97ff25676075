"""Certificates that connhook does not make: of clients, of other CAs, out of date."""
import os
import subprocess
import time

DAY = 86400

CONFIGURATION = '''
[ca]
default_ca = this
[this]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
[any]
commonName = optional
organizationName = optional
[extensions]
%s
'''


def openssl(folder, *arguments):
    subprocess.run(['openssl', *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def date(offset):
    """Now and so many seconds, as `openssl ca` takes it."""
    return time.strftime('%Y%m%d%H%M%SZ', time.gmtime(time.time() + offset))


class Authority:
    """A CA with its files in `folder`: NAME.crt and NAME.key. With `issuer` it is below another one. Times are seconds
    from now."""

    def __init__(self, folder, name, issuer=None, start=-DAY, end=3650 * DAY):
        self.folder, self.name = folder, name
        self.certificate = os.path.join(folder, name + '.crt')
        self.key = os.path.join(folder, name + '.key')
        extensions = ['basicConstraints = critical,CA:TRUE',
                      'keyUsage = critical,digitalSignature,keyCertSign,cRLSign']
        (issuer or self).sign(name, '/CN=' + name, extensions, start, end)

    def sign(self, name, subject, extensions, start, end):
        """NAME.crt and NAME.key."""
        path = os.path.join(self.folder, name)
        files = {'.cnf': CONFIGURATION % '\n'.join(extensions), '.txt': ''}
        for ending, text in files.items():
            with open(path + ending, 'w', encoding='ascii') as f:
                f.write(text.replace('index.txt', name + '.txt'))
        openssl(self.folder, 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                '-subj', subject, '-keyout', path + '.key', '-out', path + '.csr')
        by = ['-selfsign', '-keyfile', self.key] if self.name == name else \
            ['-cert', self.certificate, '-keyfile', self.key]
        openssl(self.folder, 'ca', '-config', path + '.cnf', '-batch', '-notext', '-extensions', 'extensions',
                '-in', path + '.csr', '-out', path + '.crt', '-startdate', date(start), '-enddate', date(end), *by)

    def issue(self, name, common_name=None, alternative=(), usage='clientAuth', start=-DAY, end=DAY, chain=()):
        """A certificate and its key in one file, with the certificates of `chain` behind it: its path. The common name
        is `name`; '' is none."""
        extensions = ['basicConstraints = critical,CA:FALSE']
        if usage:
            extensions.append('extendedKeyUsage = ' + usage)
        if alternative:
            extensions.append('subjectAltName = ' + ','.join(alternative))
        subject = '/O=none' if common_name == '' else '/CN=' + (common_name or name)
        self.sign(name, subject, extensions, start, end)
        path = os.path.join(self.folder, name)
        with open(path + '.pem', 'w', encoding='ascii') as out:
            for part in (path + '.crt', *(each.certificate for each in chain), path + '.key'):
                with open(part, encoding='ascii') as f:
                    out.write(f.read())
        return path + '.pem'


def join(path, *authorities):
    """Writes the certificates of several CAs into one file; returns its path."""
    with open(path, 'w', encoding='ascii') as out:
        for authority in authorities:
            with open(authority.certificate, encoding='ascii') as f:
                out.write(f.read())
    return path
