"""The folder that a user deploys: manifest, certificates, verification and use."""
