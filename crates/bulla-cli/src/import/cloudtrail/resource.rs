//! What a CloudTrail event was done to.

use bulla::event::{Resource, Target};
use serde_json::{Map, Value};

use super::super::targets::Targets;
use super::Document;

/// The first of `resources` with an ARN, else the first known name among the
/// request's parameters, else the service as a whole.
pub(super) fn of(doc: &Document<'_>, service: &str) -> Resource {
    from_resources(doc)
        .or_else(|| from_parameters(doc, service))
        .unwrap_or_else(|| Resource::new("service", service))
}

fn from_resources(doc: &Document<'_>) -> Option<Resource> {
    all_of_resources(doc, &ARN).next().map(Named::resource)
}

/// What else the event names: the other `resources`, then what the request names in lists and by
/// itself, then the items of the lists in the answer.
pub(super) fn targets(doc: &Document<'_>, service: &str, main: &Resource) -> Vec<Target> {
    let mut targets = Targets::besides(main);
    targets.extend(all_of_resources(doc, &NAMES).map(Named::target));
    let members = |path: &str| doc.value(path).and_then(Value::as_object);
    if let Some(parameters) = members("/requestParameters") {
        targets.extend(in_sets(parameters, service).map(Named::target));
        targets.extend(in_lists(parameters, service).map(Named::target));
        targets.extend(by_name(parameters, service).map(Named::target));
    }
    if let Some(answer) = members("/responseElements") {
        targets.extend(in_sets(answer, service).map(Named::target));
    }
    targets.into_vec()
}

/// A thing that an event names.
struct Named<'v> {
    kind: String,
    id: &'v str,
}

impl Named<'_> {
    fn resource(self) -> Resource {
        Resource::new(self.kind, self.id)
    }

    fn target(self) -> Target {
        Target::new(self.kind, self.id)
    }
}

/// What identifies an entry of `resources`.
const ARN: [&str; 2] = ["ARN", "arn"];

/// What names one, if it has no ARN: the beginning of the ARNs of several things, or the name that
/// AWS Config uses.
const NAMES: [&str; 4] = ["ARN", "arn", "ARNPrefix", "resourceName"];

/// Those of `resources` that have one of these names.
fn all_of_resources<'d>(
    doc: &'d Document<'_>,
    ids: &'static [&'static str],
) -> impl Iterator<Item = Named<'d>> {
    let items = doc.value("/resources").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(|item| {
        let member = |names: &[&str]| {
            names.iter().find_map(|name| item.get(name)?.as_str().filter(|text| !text.is_empty()))
        };
        let id = member(ids)?;
        let said = member(&["type", "resourceType"]).map(str::to_owned);
        Some(Named { kind: said.unwrap_or_else(|| kind_of_arn(id)), id })
    })
}

/// `arn:partition:service:region:account:kind/id` (or `kind:id`) to a type in the
/// notation of AWS.
fn kind_of_arn(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next().unwrap_or_default();
    let rest = parts.nth(2).unwrap_or_default();
    let kind = match service {
        "s3" if rest.contains('/') => "object",
        "s3" => "bucket",
        "sns" => "topic",
        "sqs" => "queue",
        _ => rest.split(['/', ':']).next().unwrap_or_default(),
    };
    match known_kind(service, kind) {
        Some(known) => known.to_owned(),
        None if service.is_empty() => "arn".to_owned(),
        None if rest.contains(['/', ':']) => format!("{service}.{kind}"),
        None => service.to_owned(),
    }
}

fn known_kind(service: &str, kind: &str) -> Option<&'static str> {
    let is = |entry: &&(&str, &str, &str)| entry.0 == service && entry.1.eq_ignore_ascii_case(kind);
    KINDS.iter().find(is).map(|entry| entry.2)
}

/// Service and kind as in ARNs; the type as AWS Config and CloudTrail write it.
const KINDS: [(&str, &str, &str); 22] = [
    ("cloudtrail", "trail", "AWS::CloudTrail::Trail"),
    ("dynamodb", "table", "AWS::DynamoDB::Table"),
    ("ec2", "instance", "AWS::EC2::Instance"),
    ("ec2", "security-group", "AWS::EC2::SecurityGroup"),
    ("ec2", "snapshot", "AWS::EC2::Snapshot"),
    ("ec2", "volume", "AWS::EC2::Volume"),
    ("ec2", "vpc", "AWS::EC2::VPC"),
    ("iam", "group", "AWS::IAM::Group"),
    ("iam", "instance-profile", "AWS::IAM::InstanceProfile"),
    ("iam", "policy", "AWS::IAM::Policy"),
    ("iam", "role", "AWS::IAM::Role"),
    ("iam", "user", "AWS::IAM::User"),
    ("kms", "key", "AWS::KMS::Key"),
    ("lambda", "function", "AWS::Lambda::Function"),
    ("logs", "log-group", "AWS::Logs::LogGroup"),
    ("rds", "db", "AWS::RDS::DBInstance"),
    ("s3", "bucket", "AWS::S3::Bucket"),
    ("s3", "object", "AWS::S3::Object"),
    ("secretsmanager", "secret", "AWS::SecretsManager::Secret"),
    ("sns", "topic", "AWS::SNS::Topic"),
    ("sqs", "queue", "AWS::SQS::Queue"),
    ("ssm", "parameter", "AWS::SSM::Parameter"),
];

/// Names of request parameters, the most telling first, and the type they name.
/// Compared without regard to the case of their first letter.
const PARAMETERS: [(&str, &str); 44] = [
    ("bucketName", "AWS::S3::Bucket"),
    ("bucket", "AWS::S3::Bucket"),
    ("instanceId", "AWS::EC2::Instance"),
    ("target", "AWS::EC2::Instance"),
    ("functionName", "AWS::Lambda::Function"),
    ("secretId", "AWS::SecretsManager::Secret"),
    ("keyId", "AWS::KMS::Key"),
    ("trailName", "AWS::CloudTrail::Trail"),
    ("accessKeyId", "AWS::IAM::AccessKey"),
    ("userName", "AWS::IAM::User"),
    ("roleName", "AWS::IAM::Role"),
    ("roleArn", "AWS::IAM::Role"),
    ("groupName", "AWS::IAM::Group"),
    ("instanceProfileName", "AWS::IAM::InstanceProfile"),
    ("policyArn", "AWS::IAM::Policy"),
    ("policyName", "AWS::IAM::Policy"),
    ("logGroupName", "AWS::Logs::LogGroup"),
    ("logGroupNamePrefix", "AWS::Logs::LogGroup"),
    ("tableName", "AWS::DynamoDB::Table"),
    ("topicArn", "AWS::SNS::Topic"),
    ("queueUrl", "AWS::SQS::Queue"),
    ("stackName", "AWS::CloudFormation::Stack"),
    ("clusterName", "AWS::EKS::Cluster"),
    ("dBSnapshotIdentifier", "AWS::RDS::DBSnapshot"),
    ("dBInstanceIdentifier", "AWS::RDS::DBInstance"),
    ("hostedZoneId", "AWS::Route53::HostedZone"),
    ("modelId", "AWS::Bedrock::Model"),
    ("natGatewayId", "AWS::EC2::NatGateway"),
    ("internetGatewayId", "AWS::EC2::InternetGateway"),
    ("routeTableId", "AWS::EC2::RouteTable"),
    ("networkInterfaceId", "AWS::EC2::NetworkInterface"),
    ("networkAclId", "AWS::EC2::NetworkAcl"),
    ("groupId", "AWS::EC2::SecurityGroup"),
    ("volumeId", "AWS::EC2::Volume"),
    ("snapshotId", "AWS::EC2::Snapshot"),
    ("imageId", "AWS::EC2::Image"),
    ("flowLogId", "AWS::EC2::FlowLog"),
    ("allocationId", "AWS::EC2::EIP"),
    ("subnetId", "AWS::EC2::Subnet"),
    ("vpcId", "AWS::EC2::VPC"),
    ("resourceArn", "arn"),
    ("resourceId", "resource"),
    ("documentName", "AWS::SSM::Document"),
    ("commandId", "AWS::SSM::Command"),
];

/// The names of parameters that this service gives to things, the most telling first. What a bare
/// `name` names depends on whom one asks.
fn names_of(service: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let by_name = match service {
        "cloudtrail.amazonaws.com" => Some(("name", "AWS::CloudTrail::Trail")),
        "secretsmanager.amazonaws.com" => Some(("name", "AWS::SecretsManager::Secret")),
        "ssm.amazonaws.com" => Some(("name", "AWS::SSM::Parameter")),
        _ => None,
    };
    by_name.into_iter().chain(PARAMETERS)
}

fn from_parameters(doc: &Document<'_>, service: &str) -> Option<Resource> {
    let parameters = doc.value("/requestParameters")?.as_object()?;
    let first = names_of(service).find_map(|(name, kind)| {
        let id = named(parameters, name).or_else(|| nested(parameters, name))?;
        Some(thing(parameters, service, kind, id))
    });
    first.map(Named::resource)
}

/// What the request names by itself or in a `…Request`.
fn by_name<'v>(
    parameters: &'v Map<String, Value>,
    service: &'v str,
) -> impl Iterator<Item = Named<'v>> {
    names_of(service).filter_map(move |(name, kind)| {
        let id = named(parameters, name).or_else(|| in_request(parameters, name))?;
        Some(thing(parameters, service, kind, id))
    })
}

/// Each item of each `…Set`, by the most telling name in it.
fn in_sets<'v>(
    members: &'v Map<String, Value>,
    service: &'v str,
) -> impl Iterator<Item = Named<'v>> {
    let items = sets(members).flatten().filter_map(Value::as_object);
    items.filter_map(move |item| {
        let first = names_of(service).find_map(|(name, kind)| Some((kind, named(item, name)?)));
        first.map(|(kind, id)| thing(members, service, kind, id))
    })
}

/// The texts of lists such as `instanceIds`.
fn in_lists<'v>(
    parameters: &'v Map<String, Value>,
    service: &'v str,
) -> impl Iterator<Item = Named<'v>> {
    let lists = names_of(service).filter_map(move |(name, kind)| {
        let list = parameters.iter().find(|(key, _)| is_plural(key, name))?.1;
        Some((kind, list.as_array()?))
    });
    lists.flat_map(move |(kind, list)| {
        let ids = list.iter().filter_map(Value::as_str).filter(|id| !id.is_empty());
        ids.map(move |id| thing(parameters, service, kind, id))
    })
}

/// What a parameter names. An ARN says its type itself, and `resourceType` that of a `resourceId`.
fn thing<'v>(parameters: &Map<String, Value>, service: &str, kind: &str, id: &'v str) -> Named<'v> {
    let kind = match named(parameters, "resourceType") {
        _ if id.starts_with("arn:") => kind_of_arn(id),
        Some(said) if kind == "resource" => {
            let short = service.strip_suffix(".amazonaws.com").unwrap_or(service);
            known_kind(short, said).map_or_else(|| format!("{short}.{said}"), str::to_owned)
        }
        _ => kind.to_owned(),
    };
    Named { kind, id }
}

/// The member of that name, itself or as `{"content": …}`.
fn named<'v>(members: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    let value = members.iter().find(|(key, _)| is_named(key, name))?.1;
    let text = value.as_str().or_else(|| value.get("content")?.as_str())?;
    (!text.is_empty()).then_some(text)
}

/// Whether the names are the same, but for the case of their first letter.
fn is_named(key: &str, name: &str) -> bool {
    match (key.split_at_checked(1), name.split_at_checked(1)) {
        (Some((first, rest)), Some((initial, others))) => {
            first.eq_ignore_ascii_case(initial) && rest == others
        }
        _ => false,
    }
}

/// Whether it is the name of a list of what the other names.
fn is_plural(key: &str, name: &str) -> bool {
    key.strip_suffix('s').is_some_and(|one| is_named(one, name))
}

/// EC2 wraps its parameters: `…Set.items[0]` and `…Request`.
fn nested<'v>(parameters: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    parameters.iter().find_map(|(key, value)| {
        if key.ends_with("Set") {
            named(value.get("items")?.as_array()?.first()?.as_object()?, name)
        } else if key.ends_with("Request") {
            named(value.as_object()?, name)
        } else {
            None
        }
    })
}

fn in_request<'v>(parameters: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    let requests = parameters.iter().filter(|(key, _)| key.ends_with("Request"));
    requests.filter_map(|(_, value)| value.as_object()).find_map(|request| named(request, name))
}

/// The items of each `…Set`.
fn sets(members: &Map<String, Value>) -> impl Iterator<Item = &Vec<Value>> {
    let sets = members.iter().filter(|(key, _)| key.ends_with("Set"));
    sets.filter_map(|(_, value)| value.get("items")?.as_array())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> (String, Option<String>) {
        let doc = Document::parse(text).unwrap();
        let found = of(&doc, "ec2.amazonaws.com");
        (found.kind, found.id)
    }

    #[test]
    fn the_first_arn_wins_and_its_type_may_be_told_from_it() {
        for (arn, kind) in [
            ("arn:aws:s3:::b", "AWS::S3::Bucket"),
            ("arn:aws:s3:::b/k/l", "AWS::S3::Object"),
            ("arn:aws:ssm:eu-west-1:111122223333:parameter/a/b", "AWS::SSM::Parameter"),
            ("arn:aws:lambda:eu-west-1:111122223333:function:f", "AWS::Lambda::Function"),
            ("arn:aws:glue:eu-west-1:111122223333:job/j", "glue.job"),
            ("arn:aws:sqs:eu-west-1:111122223333:q", "AWS::SQS::Queue"),
            ("odd", "arn"),
        ] {
            let text = format!(r#"{{"resources":[{{"accountId":"1"}},{{"ARN":"{arn}"}}]}}"#);
            assert_eq!(resource(&text), (kind.to_owned(), Some(arn.to_owned())));
        }
        let typed = r#"{"resources":[{"ARN":"x","type":"AWS::KMS::Key"}]}"#;
        assert_eq!(resource(typed), ("AWS::KMS::Key".to_owned(), Some("x".to_owned())));
    }

    fn further(text: &str) -> Vec<String> {
        let doc = Document::parse(text).unwrap();
        let main = of(&doc, "ec2.amazonaws.com");
        let found = targets(&doc, "ec2.amazonaws.com", &main);
        found.into_iter().map(|target| format!("{}/{}", target.kind, target.id)).collect()
    }

    #[test]
    fn what_else_is_named_is_a_target() {
        for (event, expected) in [
            (
                r#""resources":[{"ARN":"a","type":"t"},{"accountId":"1"},{"ARN":"b","type":"t"}]"#,
                &["t/b"][..],
            ),
            (
                r#""resources":[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::b/"},{"ARN":"a"}]"#,
                &["AWS::S3::Object/arn:aws:s3:::b/"],
            ),
            (
                r#""requestParameters":{"instancesSet":{"items":[{"instanceId":"i-1"},
                    {"instanceId":"i-2"},7,{"instanceId":""},{"instanceId":["i-3"]},{"instanceId":"i-2"},{"instanceId":"i-4"}]}}"#,
                &["AWS::EC2::Instance/i-2", "AWS::EC2::Instance/i-4"],
            ),
            (
                r#""requestParameters":{"groupSet":{"items":[{"groupId":"sg-1"}]},"imageId":"ami-1"},
                    "responseElements":{"instancesSet":{"items":[{"imageId":"ami-1","instanceId":"i-1"}]}}"#,
                &["AWS::EC2::Image/ami-1", "AWS::EC2::Instance/i-1"],
            ),
            (
                r#""requestParameters":{"userName":"bob","groupName":"admins"}"#,
                &["AWS::IAM::Group/admins"],
            ),
            (
                r#""requestParameters":{"documentName":"d","instanceIds":["i-1",{},"i-2"]}"#,
                &["AWS::EC2::Instance/i-1", "AWS::EC2::Instance/i-2"],
            ),
            (
                r#""requestParameters":{"resourcesSet":{"items":[{"resourceId":"r-1"},{"resourceId":"r-2"}]}}"#,
                &["resource/r-2"],
            ),
            (
                r#""requestParameters":{"instancesSet":{"items":7},"xSet":[],"instanceIds":"i"}"#,
                &[],
            ),
            (r#""requestParameters":[],"responseElements":null,"resources":{}"#, &[]),
        ] {
            assert_eq!(further(&format!("{{{event}}}")), expected, "{event}");
        }
    }

    #[test]
    fn parameters_are_searched_as_ec2_nests_them() {
        for (parameters, kind, id) in [
            (r#"{"bucketName":"b","key":"k"}"#, "AWS::S3::Bucket", "b"),
            (r#"{"instancesSet":{"items":[{"instanceId":"i-1"}]}}"#, "AWS::EC2::Instance", "i-1"),
            (
                r#"{"XRequest":{"NatGatewayId":{"tag":1,"content":"nat-1"}}}"#,
                "AWS::EC2::NatGateway",
                "nat-1",
            ),
            (
                r#"{"policyArn":"arn:aws:iam::aws:policy/P"}"#,
                "AWS::IAM::Policy",
                "arn:aws:iam::aws:policy/P",
            ),
            (r#"{"resourceType":"Instance","resourceId":"r"}"#, "AWS::EC2::Instance", "r"),
            (r#"{"resourceType":"Odd","resourceId":"r"}"#, "ec2.Odd", "r"),
            (r#"{"instanceId":["odd"]}"#, "service", "ec2.amazonaws.com"),
            ("null", "service", "ec2.amazonaws.com"),
        ] {
            let text = format!(r#"{{"requestParameters":{parameters}}}"#);
            assert_eq!(resource(&text), (kind.to_owned(), Some(id.to_owned())), "{parameters}");
        }
    }
}
