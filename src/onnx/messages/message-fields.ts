/**
 * The messages of ONNX files with their fields, as onnx.proto declares them (a test holds this to onnx-buf): number, name, type,
 * `[]` for lists, `[packed]` where numbers of a list follow each other without tags, `of` the group of which one is set.
 */
export const messageFields = `
message AttributeProto
  1 name: string
  21 ref_attr_name: string
  13 doc_string: string
  20 type: AttributeProto.AttributeType
  2 f: float
  3 i: int64
  4 s: bytes
  5 t: TensorProto
  6 g: GraphProto
  22 sparse_tensor: SparseTensorProto
  14 tp: TypeProto
  7 floats: float[]
  8 ints: int64[]
  9 strings: bytes[]
  10 tensors: TensorProto[]
  11 graphs: GraphProto[]
  23 sparse_tensors: SparseTensorProto[]
  15 type_protos: TypeProto[]
enum AttributeProto.AttributeType: UNDEFINED 0, FLOAT 1, INT 2, STRING 3, TENSOR 4, GRAPH 5, SPARSE_TENSOR 11, TYPE_PROTO 13, FLOATS 6, INTS 7, STRINGS 8, TENSORS 9, GRAPHS 10, SPARSE_TENSORS 12, TYPE_PROTOS 14
message ValueInfoProto
  1 name: string
  2 type: TypeProto
  3 doc_string: string
  4 metadata_props: StringStringEntryProto[]
message NodeProto
  1 input: string[]
  2 output: string[]
  3 name: string
  4 op_type: string
  7 domain: string
  8 overload: string
  5 attribute: AttributeProto[]
  6 doc_string: string
  9 metadata_props: StringStringEntryProto[]
  10 device_configurations: NodeDeviceConfigurationProto[]
message IntIntListEntryProto
  1 key: int64
  2 value: int64[]
message NodeDeviceConfigurationProto
  1 configuration_id: string
  2 sharding_spec: ShardingSpecProto[]
  3 pipeline_stage: int32
message ShardingSpecProto
  1 tensor_name: string
  2 device: int64[]
  3 index_to_device_group_map: IntIntListEntryProto[]
  4 sharded_dim: ShardedDimProto[]
message ShardedDimProto
  1 axis: int64
  2 simple_sharding: SimpleShardedDimProto[]
message SimpleShardedDimProto
  1 dim_value: int64 of dim
  2 dim_param: string of dim
  3 num_shards: int64
message TrainingInfoProto
  1 initialization: GraphProto
  2 algorithm: GraphProto
  3 initialization_binding: StringStringEntryProto[]
  4 update_binding: StringStringEntryProto[]
message ModelProto
  1 ir_version: int64
  8 opset_import: OperatorSetIdProto[]
  2 producer_name: string
  3 producer_version: string
  4 domain: string
  5 model_version: int64
  6 doc_string: string
  7 graph: GraphProto
  14 metadata_props: StringStringEntryProto[]
  20 training_info: TrainingInfoProto[]
  25 functions: FunctionProto[]
  26 configuration: DeviceConfigurationProto[]
message DeviceConfigurationProto
  1 name: string
  2 num_devices: int32
  3 device: string[]
message StringStringEntryProto
  1 key: string
  2 value: string
message TensorAnnotation
  1 tensor_name: string
  2 quant_parameter_tensor_names: StringStringEntryProto[]
message GraphProto
  1 node: NodeProto[]
  2 name: string
  5 initializer: TensorProto[]
  15 sparse_initializer: SparseTensorProto[]
  10 doc_string: string
  11 input: ValueInfoProto[]
  12 output: ValueInfoProto[]
  13 value_info: ValueInfoProto[]
  14 quantization_annotation: TensorAnnotation[]
  16 metadata_props: StringStringEntryProto[]
message TensorProto
  1 dims: int64[]
  2 data_type: int32
  3 segment: TensorProto.Segment
  4 float_data: float[packed]
  5 int32_data: int32[packed]
  6 string_data: bytes[]
  7 int64_data: int64[packed]
  8 name: string
  12 doc_string: string
  9 raw_data: bytes
  13 external_data: StringStringEntryProto[]
  14 data_location: TensorProto.DataLocation
  10 double_data: double[packed]
  11 uint64_data: uint64[packed]
  16 metadata_props: StringStringEntryProto[]
message TensorProto.Segment
  1 begin: int64
  2 end: int64
enum TensorProto.DataType: UNDEFINED 0, FLOAT 1, UINT8 2, INT8 3, UINT16 4, INT16 5, INT32 6, INT64 7, STRING 8, BOOL 9, FLOAT16 10, DOUBLE 11, UINT32 12, UINT64 13, COMPLEX64 14, COMPLEX128 15, BFLOAT16 16, FLOAT8E4M3FN 17, FLOAT8E4M3FNUZ 18, FLOAT8E5M2 19, FLOAT8E5M2FNUZ 20, UINT4 21, INT4 22, FLOAT4E2M1 23, FLOAT8E8M0 24, UINT2 25, INT2 26
enum TensorProto.DataLocation: DEFAULT 0, EXTERNAL 1
message SparseTensorProto
  1 values: TensorProto
  2 indices: TensorProto
  3 dims: int64[]
message TensorShapeProto
  1 dim: TensorShapeProto.Dimension[]
message TensorShapeProto.Dimension
  1 dim_value: int64 of value
  2 dim_param: string of value
  3 denotation: string
message TypeProto
  1 tensor_type: TypeProto.Tensor of value
  4 sequence_type: TypeProto.Sequence of value
  5 map_type: TypeProto.Map of value
  9 optional_type: TypeProto.Optional of value
  8 sparse_tensor_type: TypeProto.SparseTensor of value
  6 denotation: string
message TypeProto.Tensor
  1 elem_type: int32
  2 shape: TensorShapeProto
message TypeProto.Sequence
  1 elem_type: TypeProto
message TypeProto.Map
  1 key_type: int32
  2 value_type: TypeProto
message TypeProto.Optional
  1 elem_type: TypeProto
message TypeProto.SparseTensor
  1 elem_type: int32
  2 shape: TensorShapeProto
message OperatorSetIdProto
  1 domain: string
  2 version: int64
message FunctionProto
  1 name: string
  4 input: string[]
  5 output: string[]
  6 attribute: string[]
  11 attribute_proto: AttributeProto[]
  7 node: NodeProto[]
  8 doc_string: string
  9 opset_import: OperatorSetIdProto[]
  10 domain: string
  13 overload: string
  12 value_info: ValueInfoProto[]
  14 metadata_props: StringStringEntryProto[]
enum OperatorStatus: EXPERIMENTAL 0, STABLE 1
`;
