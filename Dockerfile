# Airflow 3.3.2 as Astro ships it. Its ONBUILD steps install packages.txt and requirements.txt, then copy the project.
FROM astrocrpublic.azurecr.io/runtime:3.3-8-python-3.12

# More packages for those who need them: apache-airflow-providers-cncf-kubernetes, sentry-sdk==2.75.0, ...
ARG EXTRA_PACKAGES=""

# Airflow 3.3.2 itself calls what pathspec 1 deprecates: a warning in the log of every task.
ENV PYTHONWARNINGS="ignore:GitWildMatchPattern:DeprecationWarning"

# Airflow knows the connection types "kraken" and "questdb" only from an installed distribution.
RUN pip install --no-cache-dir --no-deps -e . \
    && if [ -n "$EXTRA_PACKAGES" ]; then pip install --no-cache-dir $EXTRA_PACKAGES; fi
